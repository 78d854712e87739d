"""One repository: its rhythm, and its forge's tags beside our releases. Comparing is asked for here, a sweeper does it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from shared.domain.reasons import Reason
from shared.errors import BadParameter
from shared.forges.repository_key import read_repository
from shared.ledger import identities, reconcile_runs, repositories
from shared.ledger.tag_jobs import ON_ITS_WAY
from shared.reconcile import RECENT_TAGS
from webhook.dashboard.blueprint import actor, blueprint, looking, page, services
from webhook.ops import operations
from webhook.ops.renames import left_behind

SCOPES = {"newest": RECENT_TAGS, "all": None}  # how many tags, newest first
_WAS_DONE = ("succeeded", Reason.COMMITS_PARTIAL)  # what a comparison says of a job whose release the target does not have


@blueprint.get("/repositories/find")
def find_repository() -> AnyResponse:
    """By its full name with the provider, also one that never pushed."""
    found = read_repository(request.args.get("repository", "").strip())
    return redirect(url_for(".show_repository", provider=found.provider, name=found.full_name))


@blueprint.get("/repositories/<provider>/<path:name>")
def show_repository(provider: str, name: str) -> Response:
    asked, rules = read_repository(f"{provider}:{name}"), services().rules
    with looking() as connection:
        repository = identities.canonical(connection, asked)
        known = repositories.find(connection, repository.log_key)
        last = reconcile_runs.find(connection, repository)
        entries = reconcile_runs.entries_of(last) if last is not None else []
        made = reconcile_runs.find_jobs(connection, repository, entries)
    return page(
        "repository.html",
        repository=repository,
        known=known,
        former=[former.name for former in identities.known_of(known).former] if known is not None else [],
        left_behind=left_behind(rules, known) if known is not None else [],
        gap=repositories.usual_gap(known.pushes) if known is not None else None,
        last=last,
        entries=[_shown(entry, made) for entry in entries],
        is_at_work=last is not None and last.state in ("wanted", "running"),
        scope="all" if last is not None and last.most_tags is None else "newest",
        recent=RECENT_TAGS,
        is_switched_off=provider not in services().settings.forges,
    )


def _shown(entry: dict[str, Any], made: dict[reconcile_runs.Entry, sa.Row[Any]]) -> dict[str, Any]:
    """The entry and how its job stands now. `state`: none (no release is wanted), there, gone, job, waits, missing."""
    if "reason" in entry:
        return {**entry, "state": "none", "job": None}
    job = made.get((entry["tag"], entry["sha"], entry["target"]))
    if entry["why"] is None:
        state = "there"
    elif job is None:
        state = "waits" if entry["why"] == ON_ITS_WAY else "missing"
    else:
        state = "gone" if job.status == "succeeded" and entry["why"] in _WAS_DONE else "job"
    return {**entry, "state": state, "job": job}


@blueprint.post("/repositories/<provider>/<path:name>/compare")
def compare_repository(provider: str, name: str) -> AnyResponse:
    """Compare; with `creates`, also queue what is missing. A sweeper takes it up within seconds."""
    repository = read_repository(f"{provider}:{name}")
    scope, creates = request.form.get("tags", "newest"), request.form.get("creates", "") == "1"
    if scope not in SCOPES:
        raise BadParameter(f"tags must be one of {', '.join(SCOPES)}")
    operations.reconcile(
        services(),
        actor(),
        repository,
        most_tags=SCOPES[scope],
        creates=creates,
        with_deploys=creates and request.form.get("deploys", "") == "1",
    )
    return redirect(url_for(".show_repository", provider=provider, name=name), 303)
