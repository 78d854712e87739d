"""What the HTTP server loads: `create`, a factory of the ASGI app. Runs once per server process."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from releases.app import create_app
from releases.artifacts.blobs import TEMPORARY
from releases.artifacts.bounds import Bounds, read_settings
from releases.http.rate_limit import read_limit
from releases.pages import visitors
from releases.tenancy import shared_releases
from shared.config.settings import from_env
from shared.infra import logs
from shared.infra.asgi import FlaskInAsgi, Limits, Refusal
from shared.infra.database import CONNECTIONS, make_engine
from shared.infra.postgres import BACKGROUND_REPLY_SECONDS
from shared.infra.public_path import PublicPath, path_of

_FORM_BYTES = 2**20  # around the contents of a request
_IN_MEMORY = 2**20  # of a body


def create() -> FlaskInAsgi:
    settings = from_env(os.environ, is_terminal=sys.stderr.isatty())
    logs.setup(settings.log_format, settings.log_level)
    logs.hide(settings.every_secret())
    engine = make_engine(
        settings.releases_database_url,
        "tagship-releases",
        connections=settings.database_connections or CONNECTIONS,
        reply_seconds=BACKGROUND_REPLY_SECONDS,
    )
    kept = read_settings(settings)
    app = create_app(
        engine,
        rate_limit=read_limit(settings),
        trusts_local=visitors.read_setting(settings),
        refuses_shared=shared_releases.read_setting(settings),
        kept=kept,
    )
    path = path_of(settings.releases_public_url)
    app.wsgi_app = PublicPath(app.wsgi_app, path, settings.trusted_proxies)  # type: ignore[method-assign]
    return FlaskInAsgi(app, refuse=_refuse, limits=_limits(kept))


def _limits(kept: tuple[Path, Bounds] | None) -> Limits:
    if kept is None:
        return Limits()
    folder, bounds = kept
    largest = max(Limits().max_body, bounds.request + _FORM_BYTES)
    return Limits(max_body=largest, spool_above=_IN_MEMORY, spool_folder=str(folder / TEMPORARY))


def _refuse(refusal: Refusal) -> tuple[list[tuple[str, str]], bytes]:
    return [("Content-Type", "application/json")], json.dumps({"detail": refusal.detail}).encode()
