"""/api/v1/jobs and /api/v1/replays: jobs and their attempts; replay or recollect one or many, cancel."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from flask import Response, jsonify
from sqlalchemy.engine import Connection

from shared.domain import filters
from shared.errors import BadParameter
from shared.infra.database import reading
from shared.ledger import target_states
from shared.ledger.queries import listings, lookup
from webhook.api.request import CUT, ONCE, REUSED, SHORTENED, WRONG, Json, acting, actor, blueprint, read_body, services, words
from webhook.openapi.filter_parameters import parameters
from webhook.openapi.operation import Answer, Call, Parameter, described
from webhook.openapi.schema_helpers import COUNT, FLAG, TEXT, page_of, ref, shape
from webhook.ops import jobs, operations, replays, serializers, shapes, short_ids

_ID = Parameter("job_id", TEXT, "The job's id.")
_MISSING = "No job with this ID."
_REPLAY = Parameter("replay", COUNT, "The number of the bulk replay or recollect, as its answer names it.")
_NO_REPLAY = "No bulk replay with this number."


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
    return jsonify(
        {"items": serializers.list_jobs(found.rows, healths, services().waits_for_broker), "next_cursor": found.next_cursor}
    )


@blueprint.get("/jobs/<job_id>")
@described(
    Call(
        summary="Show one job and each of its attempts",
        who="viewer",
        path=(_ID,),
        answers={200: Answer("The job.", ref("JobWithHistory"))},
        problems={404: _MISSING, 409: SHORTENED},
    )
)
def show_job(job_id: str) -> Response:
    with reading(services().engine).begin() as connection:
        job_id = short_ids.whole_job_id(connection, job_id)
        history = [serializers.attempt(row) for row in lookup.find_attempts(connection, job_id)]
        return jsonify({**_show_job(connection, job_id), "history": history})


def _moving(summary: str, allowed: str) -> Call:
    return acting(summary, Answer("The job as it stands now.", ref("Job")), path=_ID, missing=_MISSING, detail=allowed)


@blueprint.post("/jobs/<job_id>/replay")
@described(_moving("Queue a job again", "Allowed for failed and cancelled jobs; it gets a fresh budget of attempts."))
def replay_job(job_id: str) -> tuple[Response, int]:
    read_body(())
    return jsonify(operations.replay_job(services(), actor(), job_id)), 202


@blueprint.post("/jobs/<job_id>/recollect")
@described(
    _moving(
        "Collect the commit list of a release again",
        "Allowed for succeeded jobs and for those that wait to complete a partial list. The list is sent if it differs; "
        "nothing else changes. If it fails, release, list and status stay as they are, and the attempt says why.",
    )
)
def recollect_job(job_id: str) -> tuple[Response, int]:
    read_body(())
    return jsonify(operations.recollect_job(services(), actor(), job_id)), 202


@blueprint.post("/jobs/<job_id>/cancel")
@described(_moving("Cancel a pending job", "Allowed for queued and retrying jobs."))
def cancel_job(job_id: str) -> tuple[Response, int]:
    read_body(())
    return jsonify(operations.cancel_job(services(), actor(), job_id)), 202


def _moving_many(summary: str, verb: str, done: str) -> Call:
    return Call(
        summary=summary,
        detail="With dry_run it only counts. Answers when all are queued; the sweeper feeds them to their targets, and "
        "GET /api/v1/replays/{replay} shows the progress. Repeating the request with its Idempotency-Key continues it.",
        who="operator",
        headers=(ONCE,),
        body=shape({"filter": ref("JobFilter"), "dry_run": FLAG}, optional=("dry_run",)),
        answers={
            200: Answer(f"With dry_run: how many would be {verb}.", shape({"matched": COUNT})),
            202: Answer("Queued.", shape({"replay": COUNT, "matched": COUNT, done: COUNT})),
        },
        problems={400: WRONG, 409: REUSED},
    )


@blueprint.post("/jobs/replay")
@described(_moving_many("Queue all failed and cancelled jobs again that a filter matches", "queued", "replayed"))
def replay_jobs() -> tuple[Response, int]:
    return _move_many("replay")


@blueprint.post("/jobs/recollect")
@described(_moving_many("Collect the commit lists of all releases again that a filter matches", "collected", "recollected"))
def recollect_jobs() -> tuple[Response, int]:
    return _move_many("recollect")


def _move_many(verb: Literal["replay", "recollect"]) -> tuple[Response, int]:
    body = read_body(("filter", "dry_run"))
    given, is_dry = _read_filter(body), body.get("dry_run", False)
    if not isinstance(is_dry, bool):
        raise BadParameter("dry_run must be true or false")
    if is_dry:
        with reading(services().engine).begin() as connection:
            return jsonify({"matched": replays.count(connection, given, verb)}), 200
    act = operations.replay_jobs if verb == "replay" else operations.recollect_jobs
    return jsonify(act(services(), actor(), given)), 202


def _read_filter(body: Json) -> dict[str, str]:
    """The filter's words that are given."""
    given = body.get("filter")
    if not isinstance(given, dict) or not any(given.values()):
        raise BadParameter(f"filter must be an object with at least one of {', '.join(filters.JOB_WORDS)}")
    filters.check_known(given, filters.JOB_WORDS, "key of filter")
    for word, value in given.items():
        if not isinstance(value, str | None):
            raise BadParameter(f"filter.{word} must be a text")
    words = {word: value for word, value in given.items() if value}
    filters.read_job_filter(words, datetime.now(UTC))
    return words


@blueprint.get("/replays/<int:replay>")
@described(
    Call(
        summary="Show a bulk replay or recollect and how far it has come",
        who="viewer",
        path=(_REPLAY,),
        answers={200: Answer("The replay.", ref("Replay"))},
        problems={404: _NO_REPLAY},
    )
)
def show_replay(replay: int) -> Response:
    with reading(services().engine).begin() as connection:
        return jsonify(serializers.replay(replays.find_replay(connection, replay)))


@blueprint.post("/replays/<int:replay>/cancel")
@described(
    acting(
        "Stop a bulk replay or recollect and cancel what has not begun of it",
        Answer("Cancelled.", shape({"replay": COUNT, "cancelled": COUNT})),
        path=_REPLAY,
        missing=_NO_REPLAY,
    )
)
def cancel_replay(replay: int) -> tuple[Response, int]:
    read_body(())
    return jsonify(operations.cancel_replay(services(), actor(), replay)), 202


def _show_job(connection: Connection, job_id: str) -> shapes.Job:
    return jobs.show(services(), connection, [lookup.find_job(connection, job_id)])[0]
