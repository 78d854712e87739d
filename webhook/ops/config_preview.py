"""A config that someone would like to try: text of a `tagship.toml` that is not in force, taken from strangers."""

from __future__ import annotations

from dataclasses import replace

from shared.config import rules_file
from shared.config.settings import Settings
from shared.domain.rules import Rules
from shared.errors import BadParameter, SettingsError

LONGEST = 65_536  # characters; a rule takes some 200
LONGEST_LINE = 2_000  # the parser's time grows with the square of a key's dots, and a key stands on one line
MOST_TARGETS = 20  # an answer may hold a whole release for each
_MOST_FAULTS = 20
_LONGEST_FAULT = 300


def read_config(text: str, settings: Settings) -> Rules:
    """The rules that this text makes. Raises BadParameter, which names each faulty field.

    The environment is withheld, so that no answer can tell whether a variable named in it (`token_env`) exists.
    """
    if len(text) > LONGEST:
        raise BadParameter(f"config is longer than {LONGEST} characters")
    if any(len(line) > LONGEST_LINE for line in text.splitlines()):
        raise BadParameter(f"config holds a line longer than {LONGEST_LINE} characters: break the list over several")
    try:
        rules = rules_file.parse(text, "config", replace(settings, environ={}))
    except SettingsError as problem:
        raise BadParameter(_sentence(problem.faults)) from None
    if len(rules.targets) > MOST_TARGETS:
        raise BadParameter(f"config: targets holds more than {MOST_TARGETS}, too many to be tried at once")
    return rules


def _sentence(faults: list[str]) -> str:
    shown = [fault if len(fault) <= _LONGEST_FAULT else fault[: _LONGEST_FAULT - 1] + "…" for fault in faults[:_MOST_FAULTS]]
    more = [f"and {len(faults) - _MOST_FAULTS} more faults"] if len(faults) > _MOST_FAULTS else []
    return "; ".join(shown + more)
