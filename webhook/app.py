"""The web process's composition root: settings become a Flask app, and that app an ASGI app for the server."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace

from flask import Flask

from shared.broker import BrokerWatch, Notifier, make_celery
from shared.config import rules_file
from shared.config.changed_files import Config, read_config
from shared.config.settings import Settings, from_env
from shared.domain.rules import Rules
from shared.infra import logs
from shared.infra.asgi import FlaskInAsgi, Limits
from shared.infra.database import CONNECTIONS, make_engine
from shared.infra.garbage import give_back_large_blocks
from shared.infra.public_path import PublicPath, path_of
from shared.live_config import LiveConfig
from webhook import api
from webhook.dashboard import setup as dashboard
from webhook.http import problems
from webhook.http.client_address import TrustedProxies, sender_of
from webhook.http.json_provider import QuickJson
from webhook.intake import accept_latency, fast_path, receiver
from webhook.intake.group_commit import GroupCommit
from webhook.intake.group_writers import open_store
from webhook.intake.keyring import check_ops_tokens, make_keyrings
from webhook.intake.rejections import Refusals
from webhook.intake.store_health import StoreHealth
from webhook.intake.throttle import Throttle
from webhook.monitoring import health, metrics
from webhook.openapi import document
from webhook.ops.guesses import Guesses
from webhook.services import Services


def create_app(settings: Settings, rules: Rules | None = None) -> Flask:
    """The Flask app. Raises SettingsError when the rules' file is faulty; opens no connection yet."""
    rules = rules or rules_file.load(settings)
    keyrings = make_keyrings(settings, rules.sources)
    app = Flask("webhook", static_folder=None)
    app.json = QuickJson(app)
    app.config["MAX_CONTENT_LENGTH"] = Limits().max_body
    app.url_map.merge_slashes = False  # it would answer with a redirect to whatever host the request names
    engine = make_engine(settings.database_url, "tagship-web", connections=settings.database_connections or CONNECTIONS)
    store_health = StoreHealth()
    times = accept_latency.AcceptTimes(engine)
    notifier = Notifier(make_celery(settings.broker_url))
    app.extensions["services"] = Services(
        settings=settings,
        rules=rules,
        engine=engine,
        notifier=notifier,
        is_broker_down=BrokerWatch(notifier.app).is_down if settings.broker_url else lambda: False,
    )
    app.extensions["intake"] = receiver.Intake(
        rules=rules,
        notifier=notifier,
        group_commit=GroupCommit(open_store(engine), engine, notifier, after_each=times.flush_if_due, health=store_health),
        times=times,
        refusals=Refusals(engine),
        keyrings=keyrings,
        throttle=Throttle(),
    )
    app.extensions["guesses"] = Guesses(engine)
    app.extensions["readiness"] = health.Readiness(engine, notifier, settings.broker_url, store_health)
    app.register_blueprint(receiver.blueprint)
    app.register_blueprint(health.blueprint)
    api.register(app)
    dashboard.register(app)
    accept_latency.register(app, times)
    metrics.register(app, times)
    problems.register(app)
    document.register(app)
    if settings.trusted_proxies:
        app.wsgi_app = TrustedProxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]
    # Outermost: whether to believe a proxy depends on the address that the request really came from.
    app.wsgi_app = PublicPath(app.wsgi_app, path_of(settings.public_url), settings.trusted_proxies)  # type: ignore[method-assign]
    return app


def put_in_force(app: Flask, config: Config) -> None:
    """Use other rules and secrets from the next request on. Raises SettingsError, changing nothing, where one is not good."""
    intake: receiver.Intake = app.extensions["intake"]
    services: Services = app.extensions["services"]
    keyrings = make_keyrings(config.settings, config.rules.sources)
    check_ops_tokens(config.settings, keyrings)
    dashboard.renew_sessions(app, config.settings)
    app.extensions["services"] = replace(services, settings=config.settings, rules=config.rules)
    app.extensions["intake"] = replace(intake, rules=config.rules, keyrings=keyrings)


def create_asgi() -> FlaskInAsgi:
    """What each of the server's processes runs."""
    config = read_config(from_env(os.environ, is_terminal=sys.stderr.isatty()))
    settings = config.settings
    logs.setup(settings.log_format, settings.log_level)
    give_back_large_blocks()
    app = create_app(settings, config.rules)
    intake: receiver.Intake = app.extensions["intake"]
    notifier: Notifier = app.extensions["services"].notifier
    logs.hide(settings.every_secret(config.rules.secret_names))
    live = LiveConfig("web", config, app.extensions["services"].engine, lambda changed: put_in_force(app, changed))
    app.extensions["config"] = live.files
    live.start()

    async def stop() -> None:
        await asyncio.to_thread(live.stop)
        await intake.group_commit.close()
        await asyncio.to_thread(notifier.stop)

    arguments = (lambda: app.extensions["intake"], sender_of(settings.trusted_proxies), path_of(settings.public_url))
    return FlaskInAsgi(
        app,
        refuse=problems.refuse_body,
        quick=fast_path.quickly(*arguments),
        admit=fast_path.admit(*arguments),
        on_stop=stop,
    )
