"""The web process's composition root: settings become a Flask app, and that app an ASGI app for the server."""

from __future__ import annotations

import os
import sys

from flask import Flask

from shared import config, log
from shared.asgi import FlaskInAsgi, Limits
from shared.db import make_engine
from shared.queue import Knocker, make_celery
from shared.rules import Rules
from shared.settings import Settings, from_env
from webhook import accept_times, health, metrics, problems, receive
from webhook.addresses import TrustedProxies
from webhook.dashboard import register as dashboard
from webhook.keyring import make_keyrings
from webhook.ops import api
from webhook.refusals import Refusals
from webhook.throttle import Throttle


def create_app(settings: Settings, rules: Rules | None = None) -> Flask:
    """The Flask app. Raises SettingsError when the rules' file is faulty; opens no connection yet."""
    rules = rules or config.load(settings)
    keyrings = make_keyrings(settings, rules.sources)
    app = Flask("webhook", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = Limits().max_body
    engine = make_engine(settings.database_url)
    knocker = Knocker(make_celery(settings.broker_url))
    app.extensions["door"] = receive.Door(
        settings=settings,
        rules=rules,
        engine=engine,
        knocker=knocker,
        refusals=Refusals(engine),
        keyrings=keyrings,
        throttle=(throttle := Throttle()),
    )
    app.register_blueprint(receive.blueprint)
    app.register_blueprint(health.blueprint)
    api.register(app)
    dashboard.register(app)
    metrics.register(app, accept_times.register(app, engine))
    problems.register(app, throttle)
    if settings.trusted_proxies:
        app.wsgi_app = TrustedProxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]
    return app


def create_asgi() -> FlaskInAsgi:
    """What each of the server's processes runs."""
    settings = from_env(os.environ, is_terminal=sys.stderr.isatty())
    log.setup(settings.log_format, settings.log_level)
    app = create_app(settings)
    door: receive.Door = app.extensions["door"]
    log.hide(settings.every_secret(door.rules.secret_names))
    return FlaskInAsgi(app, refuse=problems.refuse_body, on_stop=door.knocker.stop)
