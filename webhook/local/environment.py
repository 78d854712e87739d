"""What `make run` adds to the environment: `.env`, generated secrets that are kept, the addresses of embedded parts."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

from shared.errors import SettingsError

_GENERATED = ("GITHUB_WEBHOOK_SECRET", "GITLAB_WEBHOOK_SECRET", "OPS_TOKEN")


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


def with_secrets(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment with every secret that it lacks, made once and kept in `folder`/secrets.env (owner only)."""
    wanted = [*_GENERATED, *([] if is_set(environ, "SENTRY_URL") else ["SENTRY_AUTH_TOKEN"])]
    path = folder / "secrets.env"
    kept = read_env_file(path)
    missing = [name for name in wanted if not is_set(environ, name) and name not in kept]
    if missing:
        kept |= {name: secrets.token_hex(24) for name in missing}
        _write_private(path, "".join(f"{name}={value}\n" for name, value in sorted(kept.items())))
    return {**environ, **{name: kept[name] for name in wanted if not is_set(environ, name)}}


def is_set(environ: Mapping[str, str], name: str) -> bool:
    """Set at all, also when empty or by file: an empty value is a fault to be named, not to be papered over."""
    return name in environ or f"{name}_FILE" in environ


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def is_taken(host: str, port: int) -> bool:
    """Whether something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
