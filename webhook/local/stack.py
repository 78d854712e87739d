"""The stack as parts: which processes, in which environment, and how to tell that each is up."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from shared.config.env_files import is_set
from shared.config.settings import Settings, from_env
from shared.errors import SettingsError
from shared.infra.database import make_engine
from shared.infra.network import url_host, why_not_bound
from shared.ledger.tables import SCHEMA
from webhook.intake.keyring import check_config
from webhook.local.broker import broker_command
from webhook.local.environment import free_port, with_secrets
from webhook.local.supervisor import Part

ROOT = Path(__file__).resolve().parents[2]
_EMBEDDED, _ENDPOINT, _WEB = 0, 1, 2  # stages: the broker first, then the endpoint, then what uses both


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack ready to be started. `notes` tell a person what is embedded and where."""

    settings: Settings
    environ: Mapping[str, str]
    parts: tuple[Part, ...]
    notes: tuple[str, ...]


def build(environ: Mapping[str, str], *, is_terminal: bool, endpoint_url: str | None = None) -> Stack:
    """Fill in what the environment lacks, check everything, migrate the ledger. Raises SettingsError, SchemaError.

    `endpoint_url` puts something between the worker and the embedded endpoint (the demo's fault).
    """
    environ = {**environ, "DATA_DIR": str(Path(environ.get("DATA_DIR", "var")).resolve())}
    folder = Path(environ["DATA_DIR"])
    has_broker = is_set(environ, "BROKER_URL") or is_set(environ, "REDIS_URL")
    environ = with_secrets(environ, folder)
    environ.setdefault("LOG_FORMAT", "console" if is_terminal else "json")
    broker_port = free_port()
    if not has_broker:
        environ["BROKER_URL"] = f"redis://127.0.0.1:{broker_port}/0"
    if endpoint_url is not None:
        environ = {"SENTRY_ORG": "local", "SENTRY_PROJECT": "app", **environ, "SENTRY_URL": endpoint_url}
    settings = from_env(environ)
    has_target = endpoint_url is None and not settings.is_target_embedded
    _check_ports(settings, has_target=has_target)
    check_config(settings)
    run_folder = folder / "run"
    run_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    notes = [f"data        {folder} (database, generated secrets: secrets.env)"]
    parts: list[Part] = []
    if not has_broker:
        command, note = broker_command(broker_port, run_folder)
        notes.append(f"broker      {note}")
        parts.append(Part("broker", command, environ, lambda: accepts("127.0.0.1", broker_port), _EMBEDDED))
    if not has_target:
        notes.append(
            f"releases    embedded endpoint on http://127.0.0.1:{settings.releases_port}, organization {settings.sentry_org}"
        )
    else:
        notes.append(f"releases    {settings.sentry_url}, organization {settings.sentry_org}")
    SCHEMA.upgrade(make_engine(settings.database_url))
    parts += _procfile_parts(environ, settings, run_folder, embeds_endpoint=not has_target)
    return Stack(settings, environ, tuple(parts), tuple(notes))


def _check_ports(settings: Settings, *, has_target: bool) -> None:
    wanted = [("PORT", settings.host, settings.port)]
    if not has_target:
        wanted.append(("RELEASES_PORT", "127.0.0.1", settings.releases_port))
    faults = [
        f"{name if why.startswith('port') else 'HOST'}: {why}"
        for name, host, port in wanted
        if (why := why_not_bound(host, port)) is not None
    ]
    if not has_target and settings.port == settings.releases_port:
        faults.append(f"PORT and RELEASES_PORT are both {settings.port}: the receiver and the endpoint need one each")
    if faults:
        raise SettingsError(faults)


def _procfile_parts(environ: Mapping[str, str], settings: Settings, run_folder: Path, *, embeds_endpoint: bool) -> list[Part]:
    """The Procfile's own lines, run by the shell as a platform would, with this interpreter first in PATH."""
    lines = read_procfile(ROOT / "Procfile")
    path = f"{Path(sys.executable).parent}{os.pathsep}{environ.get('PATH', os.defpath)}"
    base = {**environ, "PATH": path, "HOST": settings.host, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}

    def part(name: str, stage: int, is_up: Callable[[], bool], **more: str) -> Part:
        return Part(name, ["/bin/sh", "-c", lines[name]], {**base, **more}, is_up, stage)

    def by_file(name: str) -> Part:
        ready = run_folder / f"{name}.ready"
        ready.unlink(missing_ok=True)
        return part(name, _WEB, ready.exists, TAGSHIP_READY_FILE=str(ready))

    host = url_host(settings.host)
    parts = [
        part("web", _WEB, lambda: answers(f"http://{host}:{settings.port}/healthz")),
        by_file("worker"),
        by_file("sweeper"),
    ]
    if embeds_endpoint:
        url = f"http://127.0.0.1:{settings.releases_port}/healthz"
        parts.insert(0, part("releases", _ENDPOINT, lambda: answers(url), HOST="127.0.0.1"))
    return parts


def read_procfile(path: Path) -> dict[str, str]:
    """{process type: command}."""
    return dict(re.findall(r"^([A-Za-z0-9_-]+):\s*(.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE))


def accepts(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
