"""What stands in files on a machine that runs `make run`: `.env`, and the secrets that it made. The commands read them too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]
SECRETS = "secrets.env"  # in DATA_DIR


def completed(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment as `make run` sees it; what is set already stays. Raises SettingsError for a faulty file.

    The embedded endpoint's token is taken only while that endpoint is the target: it must never go to another host.
    """
    found = {**read_env_file(ROOT / ".env"), **environ}
    made = read_env_file(Path(found.get("DATA_DIR", "var")) / SECRETS)
    if is_set(found, "SENTRY_URL"):
        made.pop("SENTRY_AUTH_TOKEN", None)
    return {**{name: value for name, value in made.items() if not is_set(found, name)}, **found}


def is_set(environ: Mapping[str, str], name: str) -> bool:
    """Set at all, also when empty or by file: an empty value is a fault to be named, not to be papered over."""
    return name in environ or f"{name}_FILE" in environ


def read_env_file(path: Path) -> dict[str, str]:
    """NAME=VALUE lines, `#` comments, optional quotes and `export`. Raises SettingsError with the faulty lines."""
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError([f"{path.name} cannot be read: {type(problem).__name__}"]) from None
    found: dict[str, str] = {}
    faults = []
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name.isidentifier():
            faults.append(f"{path.name} line {number} is not NAME=VALUE")
            continue
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name] = value
    if faults:
        raise SettingsError(faults)
    return found
