"""Puts the pages into the app."""

from __future__ import annotations

from flask import Flask

from webhook.dashboard import actions as acts
from webhook.dashboard import api_reference as reference
from webhook.dashboard import formatting as words
from webhook.dashboard import playground as try_pages
from webhook.dashboard import repository as repository_pages
from webhook.dashboard import sign_in
from webhook.dashboard import views as pages
from webhook.dashboard.blueprint import Gate, blueprint, door
from webhook.dashboard.chart_cache import Figures
from webhook.dashboard.sessions import Sessions
from webhook.ops.advice import ADVICE

_ROUTES = (
    acts,
    pages,
    reference,
    repository_pages,
    sign_in,
    try_pages,
)  # importing them is what adds their addresses to the blueprint
_FILTERS = (
    words.span,
    words.ago,
    words.full,
    words.stamp,
    words.time_tag,
    words.badge_tag,
    words.reason_tag,
    words.parsed,
    words.some,
    words.short,
    words.href,
    words.indented,
)


def register(app: Flask) -> None:
    with app.app_context():
        app.extensions["dashboard"] = Gate(Sessions(door().settings))
        app.extensions["dashboard.figures"] = Figures()
    for filter_ in _FILTERS:
        app.jinja_env.filters[filter_.__name__] = filter_
    app.jinja_env.globals["advice"] = ADVICE
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(blueprint)
