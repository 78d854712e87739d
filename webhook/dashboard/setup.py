"""Puts the pages into the app."""

from __future__ import annotations

from dataclasses import replace

from flask import Flask

from shared.config.settings import Settings
from shared.domain.reasons import Reason
from shared.domain.times import rfc3339
from shared.infra import visible_text
from webhook.dashboard import actions, api_reference, connect, formatting, playground, repository, search, sign_in, views
from webhook.dashboard.blueprint import Gate, blueprint, services, unknown_address
from webhook.dashboard.chart_cache import Figures
from webhook.dashboard.sessions import Sessions
from webhook.http.problems import answer_to
from webhook.ops.advice import WARNING_ADVICE, advise

_ROUTES = (
    actions,
    views,
    api_reference,
    repository,
    search,
    sign_in,
    playground,
    connect,
)  # importing them is what adds their addresses to the blueprint
_FILTERS = (
    formatting.span,
    formatting.every,
    formatting.brief,
    formatting.long_tag,
    formatting.ago,
    formatting.full,
    rfc3339,
    formatting.time_tag,
    formatting.until_tag,
    formatting.badge_tag,
    formatting.reason_tag,
    formatting.warning_tag,
    formatting.parsed,
    formatting.some,
    formatting.short,
    formatting.href,
    formatting.indented,
    visible_text.in_attribute,
    formatting.beside,
    search.repository_url,
    advise,
)


def register(app: Flask) -> None:
    with app.app_context():
        app.extensions["dashboard"] = Gate(Sessions(services().settings), app.extensions["guesses"])
        app.extensions["dashboard.figures"] = Figures()
    for filter_ in _FILTERS:
        app.jinja_env.filters[filter_.__name__] = filter_
    app.jinja_env.finalize = visible_text.in_page
    app.jinja_env.globals["reasons"] = list(Reason)
    app.jinja_env.globals["warning_advice"] = WARNING_ADVICE
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(blueprint)
    for status in (404, 405):  # before the table of `webhook/http/problems.py`, which knows no pages
        app.register_error_handler(status, lambda problem: unknown_address(problem) or answer_to(problem))


def renew_sessions(app: Flask, settings: Settings) -> None:
    """Other tokens end the sessions that the former ones opened."""
    before: Gate = app.extensions["dashboard"]
    now: Settings = app.extensions["services"].settings
    if (now.ops_token, now.ops_read_token) != (settings.ops_token, settings.ops_read_token):
        app.extensions["dashboard"] = replace(before, sessions=Sessions(settings))
