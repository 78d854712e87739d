"""/search: one box on every page. What is named by its whole name and stands alone is opened at once."""

from __future__ import annotations

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from shared.errors import BadParameter
from webhook.dashboard.blueprint import blueprint, looking, page, services
from webhook.ops import search, shapes


@blueprint.get("/search")
def show_search() -> AnyResponse:
    words = request.args.get("q", "")
    if not words.strip():
        return page("search.html")
    try:
        with looking() as connection:
            found = search.find(services(), connection, words)
    except BadParameter as problem:
        refused: Response = page("search.html", words=words[:100], fault=str(problem))
        refused.status_code = 400
        return refused
    hits = found["items"]
    if len(hits) == 1 and hits[0]["exact"]:
        return redirect(address_of(hits[0]))
    return page("search.html", words=words.strip(), found=found, hits=hits)


def address_of(hit: shapes.SearchHit) -> str:
    if (job := hit["job"]) is not None:
        return url_for(".show_job", job_id=job["id"])
    if (delivery := hit["delivery"]) is not None:
        return url_for(".show_delivery", delivery_id=delivery["id"], provider=delivery["provider"])
    return repository_url(hit["repository"] or "")


def repository_url(key: str) -> str:
    """Of `provider:full name`."""
    provider, _, name = key.partition(":")
    return url_for("dashboard.show_repository", provider=provider, name=name)
