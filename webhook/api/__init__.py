"""The ops API under /api/v1 (contract section 4): reads words, calls `shared/`, answers JSON. Decides nothing itself."""

from __future__ import annotations

from flask import Flask

from webhook.api import config, deliveries, dry_runs, jobs, overviews, search, targets
from webhook.api.request import AnyText, Segment, blueprint
from webhook.ops import roles
from webhook.ops.stats_cache import KeptCounts

# importing them is what adds their addresses to the blueprint
_ROUTES = (config, deliveries, jobs, search, targets, overviews, dry_runs)


def register(app: Flask) -> None:
    app.url_map.converters |= {"any_text": AnyText, "default": Segment}
    app.extensions["kept_counts"] = KeptCounts()
    roles.guard(app)
    app.register_blueprint(blueprint)
