"""Reads `tagship.toml` and the `NAME_FILE` secrets again when they change. Opens no connection.

A file counts as changed when it looks different, and as written when it looks the same twice in a row: whoever edits it in
place writes it in steps, and the first half of a rules file may well be a valid one. Values of variables stay those of the
start: only the contents of files change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from shared.config import rules_file
from shared.config.settings import Settings, from_env
from shared.domain.rules import Rules
from shared.errors import SettingsError

LOOK_SECONDS = 1.0  # between two looks; a change is in force after two to three of them
_MOST_ERRORS = 50
_Look = tuple[tuple[str, int, int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """One reading of the files. `digest`: SHA-256 (hex) of the rules file, None where there is none."""

    settings: Settings
    rules: Rules
    digest: str | None


@dataclass(frozen=True, slots=True)
class ConfigState:
    """`digest` is of the file in force; `errors` say why a newer one is refused, and are empty while none is."""

    digest: str | None
    errors: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """`ok` or `invalid`: all that may be said to anyone."""
        return "invalid" if self.errors else "ok"


def read_config(settings: Settings) -> Config:
    """The rules in force and the digest of exactly what they were read from. Raises SettingsError with every fault."""
    if settings.config_path is None:
        return Config(settings, rules_file.default_rules(settings), None)
    name = settings.config_path.name
    raw = rules_file.read_bytes(settings.config_path)
    return Config(settings, rules_file.parse(rules_file.decode(raw, name), name, settings), hashlib.sha256(raw).hexdigest())


class ChangedFiles:
    """`look` is one look. `apply` puts a new reading in force, whole or not at all: it raises SettingsError to refuse it."""

    def __init__(self, config: Config, apply: Callable[[Config], None]) -> None:
        self._config = config
        self._apply = apply
        self._default = None if config.settings.config_path is not None else Path("tagship.toml")
        self._seen: _Look | None = None
        self._is_read = False
        self.state = ConfigState(config.digest)

    def look(self) -> bool:
        """Whether the state changed: another file is in force, or one is refused."""
        found = self._look()
        if found != self._seen:
            self._seen, self._is_read = found, False
            return False
        if self._is_read:
            return False
        before = self.state
        try:
            config = read_config(self._settings())
            if self._look() != found:  # written to while it was read
                return False
            if config != self._config:
                self._apply(config)
                self._config = config
            self.state = ConfigState(config.digest)
        except SettingsError as problem:
            self.state = ConfigState(self._config.digest, tuple(problem.faults[:_MOST_ERRORS]))
        self._is_read = True
        return self.state != before

    def _settings(self) -> Settings:
        """Those of the start, with the secrets that files hold now. A rules file that has gone is a fault."""
        start = self._config.settings
        path = start.config_path or (self._default if self._default and self._default.is_file() else None)
        now = from_env({**start.environ, **({"TAGSHIP_CONFIG": str(path)} if path else {})})
        return replace(
            start,
            config_path=path,
            webhook_secrets=now.webhook_secrets,
            ops_token=now.ops_token,
            ops_read_token=now.ops_read_token,
            sentry_auth_token=now.sentry_auth_token,
        )

    def _look(self) -> _Look:
        settings = self._config.settings
        files = [str(settings.config_path or self._default)]
        files += [file for name, file in settings.environ.items() if name.endswith("_FILE") and name != "SSL_CERT_FILE"]
        return tuple(map(_appearance, files))


def _appearance(file: str) -> tuple[str, int, int, int, int] | None:
    try:
        found = Path(file).stat()
    except (OSError, ValueError):
        return None
    return file, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
