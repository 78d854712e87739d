"""Puts the pages into the app."""

from __future__ import annotations

from flask import Flask

from webhook.dashboard import acts, pages, reference, repository_pages, sign_in, try_pages, words
from webhook.dashboard.door import Gate, blueprint, door
from webhook.dashboard.figures import Figures
from webhook.dashboard.sessions import Sessions
from webhook.reasons import ADVICE

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
