"""The pages that act: POST forms of an operator. Each calls an operation and redirects; a check shows what it found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from flask import redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from shared.domain import filters
from webhook.dashboard import formatting
from webhook.dashboard.blueprint import actor, blueprint, page, services
from webhook.ops import operations


@blueprint.post("/jobs/<job_id>/replay")
def replay_job(job_id: str) -> AnyResponse:
    operations.replay_job(services(), actor(), job_id)
    return redirect(url_for(".show_job", job_id=job_id), 303)


@blueprint.post("/jobs/<job_id>/recollect")
def recollect_job(job_id: str) -> AnyResponse:
    operations.recollect_job(services(), actor(), job_id)
    return redirect(url_for(".show_job", job_id=job_id), 303)


@blueprint.post("/jobs/<job_id>/cancel")
def cancel_job(job_id: str) -> AnyResponse:
    operations.cancel_job(services(), actor(), job_id)
    return redirect(url_for(".show_job", job_id=job_id), 303)


@blueprint.post("/deliveries/<any_text:delivery_id>/replay", merge_slashes=False)
def replay_delivery(delivery_id: str) -> AnyResponse:
    provider = request.form.get("provider") or None
    made = operations.replay_delivery(services(), actor(), delivery_id, provider)["jobs"]
    return redirect(url_for(".show_delivery", delivery_id=delivery_id, provider=provider, replayed=len(made)), 303)


@blueprint.post("/jobs/replay")
def replay_jobs() -> AnyResponse:
    """All that the filter matches now; the sweeper feeds them out at the pace of their targets."""
    return _show_progress(operations.replay_jobs(services(), actor(), _read_filter()))


@blueprint.post("/jobs/recollect")
def recollect_jobs() -> AnyResponse:
    return _show_progress(operations.recollect_jobs(services(), actor(), _read_filter()))


def _read_filter() -> dict[str, str]:
    given = {word: value for word in filters.JOB_WORDS if (value := request.form.get(word, "").strip())}
    filters.read_job_filter(given, formatting.now())
    return given


def _show_progress(answer: Mapping[str, Any]) -> AnyResponse:
    return redirect(url_for(".show_progress", seq=answer["replay"]), 303)


@blueprint.post("/replays/<int:seq>/cancel")
def cancel_replay(seq: int) -> AnyResponse:
    """Stop a bulk replay or recollect and cancel what has not begun of it."""
    operations.cancel_replay(services(), actor(), seq)
    return redirect(url_for(".show_progress", seq=seq), 303)


@blueprint.post("/targets/<name>/pause")
def pause_target(name: str) -> AnyResponse:
    return _set_target(name, "pause")


@blueprint.post("/targets/<name>/resume")
def resume_target(name: str) -> AnyResponse:
    return _set_target(name, "resume")


@blueprint.post("/targets/<name>/check")
def check_target(name: str) -> AnyResponse:
    """The answer is the page: nothing here is worth an address."""
    found = operations.check_target(services(), actor(), name, writes=request.form.get("write") == "1")
    return page("target_check.html", found=found)


def _set_target(name: str, change: Literal["pause", "resume"]) -> AnyResponse:
    operations.set_target(services(), actor(), name, change)
    return redirect(url_for(".list_targets"), 303)
