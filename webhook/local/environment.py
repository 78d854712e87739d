"""What `make run` adds to the environment: `.env`, generated secrets that are kept, the addresses of embedded parts."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

from shared.config.env_files import SECRETS, is_set, read_env_file
from shared.domain.provider_settings import PROVIDER_NAMES, secret_variable
from shared.infra.network import why_not_bound

_GENERATED = (*map(secret_variable, PROVIDER_NAMES), "OPS_TOKEN")


def with_secrets(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment with every secret that it lacks, made once and kept in `folder`/secrets.env (owner only)."""
    wanted = [*_GENERATED, *([] if is_set(environ, "SENTRY_URL") else ["SENTRY_AUTH_TOKEN"])]
    path = folder / SECRETS
    kept = read_env_file(path)
    missing = [name for name in wanted if not is_set(environ, name) and name not in kept]
    if missing:
        kept |= {name: secrets.token_hex(24) for name in missing}
        _write_private(path, "".join(f"{name}={value}\n" for name, value in sorted(kept.items())))
    return {**environ, **{name: kept[name] for name in wanted if not is_set(environ, name)}}


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)  # also one that was there, and open to others
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def free_port() -> int:
    """A port of this machine that nobody listens on just now. No two calls of a process get the same one.

    Not one of the kernel's choosing: it would offer it again before our server listens, also to an outgoing connection.
    """
    while True:
        port = next(_ports)
        if why_not_bound("127.0.0.1", port) is None:
            return port


def _upward() -> Iterator[int]:
    """Ports below those of outgoing connections (Linux from 32768, others from 49152), from a place of this process's own."""
    span = range(16_384, 32_768)
    start = secrets.randbelow(len(span))
    return (span[(start + step) % len(span)] for step in count())


_ports = _upward()
