"""The ops API under /api/v1 (contract section 4): reads words, calls `shared/`, answers JSON. Decides nothing itself."""

from __future__ import annotations

from flask import Flask

from webhook.kept_counts import KeptCounts
from webhook.ops import auth
from webhook.ops.api import deliveries, jobs, targets, trying
from webhook.ops.api.door import AnyText, Segment, blueprint
from webhook.receive import Door

_ROUTES = (deliveries, jobs, targets, trying)  # importing them is what adds their addresses to the blueprint


def register(app: Flask) -> None:
    door: Door = app.extensions["door"]
    app.url_map.converters |= {"any_text": AnyText, "default": Segment}
    app.extensions["kept_counts"] = KeptCounts()
    auth.guard(app, door.settings)
    app.register_blueprint(blueprint)
