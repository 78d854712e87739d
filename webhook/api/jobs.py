"""/api/v1/jobs: how each release fares, trying one or many again, never mind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from flask import Response, jsonify
from sqlalchemy.engine import Connection

from shared.domain import filters
from shared.errors import BadParameter, Conflict, NotFound
from shared.infra import logs
from shared.infra.database import reading
from shared.ledger import jobs, target_states
from shared.ledger.queries import listings, lookup
from webhook.api.request import CUT, NO_BODY, ONCE, REUSED, WRONG, Json, act, blueprint, read_body, services, words
from webhook.openapi.filter_parameters import parameters
from webhook.openapi.operation import Answer, Call, Parameter, described
from webhook.openapi.schema_helpers import COUNT, FLAG, TEXT, page_of, ref, shape
from webhook.ops import replays, serializers

logger = logs.get(__name__)

_ID = Parameter("job_id", TEXT, "The job's id.")
_MISSING = "There is no job of this id."


@blueprint.get("/jobs")
@described(
    Call(
        summary="List jobs, newest first",
        detail=CUT,
        who="viewer",
        query=parameters(filters.JOB_WORDS + filters.PAGE_WORDS, filters.JOB_STATUSES),
        answers={200: Answer("A page of jobs.", page_of("Job"))},
        problems={400: WRONG},
    )
)
def list_jobs() -> Response:
    given = words(filters.JOB_WORDS + filters.PAGE_WORDS)
    wanted, page = filters.read_job_filter(given, datetime.now(UTC)), filters.read_page(given, "job")
    with reading(services().engine).begin() as connection:
        found = listings.list_jobs(connection, wanted, page)
        healths = target_states.find(connection)
    return jsonify({"items": serializers.list_jobs(found.rows, healths), "next_cursor": found.next_cursor})


@blueprint.get("/jobs/<job_id>")
@described(
    Call(
        summary="Show one job and each of its attempts",
        who="viewer",
        path=(_ID,),
        answers={200: Answer("The job.", ref("JobWithHistory"))},
        problems={404: _MISSING},
    )
)
def show_job(job_id: str) -> Response:
    with reading(services().engine).begin() as connection:
        history = [serializers.attempt(row) for row in lookup.find_attempts(connection, job_id)]
        return jsonify({**_show_job(connection, job_id), "history": history})


def _moving(summary: str, allowed: str) -> Call:
    return Call(
        summary=summary,
        detail=allowed,
        who="operator",
        path=(_ID,),
        headers=(ONCE,),
        body=NO_BODY,
        is_body_required=False,
        answers={202: Answer("The job as it stands now.", ref("Job"))},
        problems={400: WRONG, 404: _MISSING, 409: REUSED},
    )


@blueprint.post("/jobs/<job_id>/replay")
@described(_moving("Queue a job again", "Allowed for failed and cancelled jobs; it gets a fresh budget of attempts."))
def replay_job(job_id: str) -> tuple[Response, int]:
    answer = _move(job_id, jobs.replay, "replayed")
    services().notifier.notify([job_id])
    return answer


@blueprint.post("/jobs/<job_id>/cancel")
@described(_moving("Keep a job that waits from being run", "Allowed for queued and retrying jobs."))
def cancel_job(job_id: str) -> tuple[Response, int]:
    return _move(job_id, jobs.cancel, "cancelled")


def _move(job_id: str, verb: Callable[..., bool], done: str) -> tuple[Response, int]:
    read_body(())

    def do(connection: Connection, now: datetime) -> Json:
        moved = verb(connection, job_id, now=now)
        shown = _show_job(connection, job_id)
        if not moved:
            raise Conflict(f"a job that is {shown['status']} cannot be {done}")
        return shown

    answer = act(do)
    logger.info("ops.job_changed", job=job_id, change=done)
    return jsonify(answer), 202


@blueprint.post("/jobs/replay")
@described(
    Call(
        summary="Queue all failed and cancelled jobs again that a filter matches",
        detail="With dry_run it only counts. The sweeper feeds them out at the pace of their targets; "
        "the list of jobs with the same filter shows how far it is.",
        who="operator",
        headers=(ONCE,),
        body=shape({"filter": ref("JobFilter"), "dry_run": FLAG}, optional=("dry_run",)),
        answers={
            200: Answer("With dry_run: how many would be queued.", shape({"matched": COUNT})),
            202: Answer("Queued.", shape({"matched": COUNT, "replayed": COUNT})),
        },
        problems={400: WRONG, 409: REUSED},
    )
)
def replay_jobs() -> tuple[Response, int]:
    body = read_body(("filter", "dry_run"))
    wanted, is_dry = _read_filter(body), body.get("dry_run", False)
    if not isinstance(is_dry, bool):
        raise BadParameter("dry_run must be true or false")
    if is_dry:
        with reading(services().engine).begin() as connection:
            return jsonify({"matched": replays.count(connection, wanted)}), 200

    def do(connection: Connection, now: datetime) -> Json:
        replayed = replays.replay_all(connection, wanted, now=now)
        return {"matched": replayed, "replayed": replayed}

    answer = act(do)
    logger.info("ops.jobs_replayed", **answer)
    return jsonify(answer), 202


def _read_filter(body: Json) -> filters.JobFilter:
    given = body.get("filter")
    if not isinstance(given, dict) or not any(given.values()):
        raise BadParameter(f"filter must be an object with at least one of {', '.join(filters.JOB_WORDS)}")
    filters.check_known(given, filters.JOB_WORDS, "key of filter")
    for word, value in given.items():
        if not isinstance(value, str | None):
            raise BadParameter(f"filter.{word} must be a text")
    return filters.read_job_filter({word: value for word, value in given.items() if value}, datetime.now(UTC))


def _show_job(connection: Connection, job_id: str) -> Json:
    row = lookup.find_job(connection, job_id)
    if row is None:
        raise NotFound("there is no job of this id")
    return serializers.job(row, target_states.find(connection))
