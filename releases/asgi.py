"""What the HTTP server loads: `create`, a factory of the ASGI app. Runs once per server process."""

from __future__ import annotations

import json
import os
import sys

from releases.app import create_app
from releases.http.rate_limit import read_limit
from releases.pages import visitors
from releases.tenancy import shared_releases
from shared.config.settings import from_env
from shared.infra import logs
from shared.infra.asgi import FlaskInAsgi, Refusal
from shared.infra.database import make_engine


def create() -> FlaskInAsgi:
    settings = from_env(os.environ, is_terminal=sys.stderr.isatty())
    logs.setup(settings.log_format, settings.log_level)
    logs.hide(settings.every_secret())
    engine = make_engine(settings.releases_database_url)
    app = create_app(
        engine,
        rate_limit=read_limit(settings),
        trusts_local=visitors.read_setting(settings),
        refuses_shared=shared_releases.read_setting(settings),
    )
    return FlaskInAsgi(app, refuse=_refuse)


def _refuse(refusal: Refusal) -> tuple[list[tuple[str, str]], bytes]:
    return [("Content-Type", "application/json")], json.dumps({"detail": refusal.detail}).encode()
