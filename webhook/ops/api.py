"""The ops API under /api/v1 (contract section 4): reads words, calls `shared/`, answers JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Flask, Response, current_app, jsonify, request
from sqlalchemy.engine import Connection
from werkzeug.routing import PathConverter

from shared import answers, counts, filters, finding, jobs, log, replays, target_states, views
from shared.db import reading
from shared.errors import BadParameter, Conflict, NotFound
from shared.listing import all_targets
from webhook.ops import auth, noting
from webhook.receive import Door

blueprint = Blueprint("ops", __name__, url_prefix="/api/v1")
logger = log.get(__name__)

Json = dict[str, Any]


class AnyText(PathConverter):
    """A delivery id is the provider's: it may hold any visible character, slashes too."""

    regex = ".+?"
    part_isolating = False


def register(app: Flask) -> None:
    door: Door = app.extensions["door"]
    app.url_map.converters["any_text"] = AnyText
    auth.guard(app, door.settings)
    app.register_blueprint(blueprint)


def _door() -> Door:
    door: Door = current_app.extensions["door"]
    return door


def _words(known: tuple[str, ...]) -> dict[str, str]:
    filters.check_known(request.args, known, "parameter")
    for word in request.args:
        if len(request.args.getlist(word)) > 1:
            raise BadParameter(f"{word} is given more than once")
    return dict(request.args)


@blueprint.get("/deliveries")
def list_deliveries() -> Response:
    words = _words(filters.DELIVERY_WORDS + filters.PAGE_WORDS)
    wanted, page = filters.read_delivery_filter(words, datetime.now(UTC)), filters.read_page(words, "delivery")
    with reading(_door().engine).begin() as connection:
        rows, following = finding.list_deliveries(connection, wanted, page)
    return jsonify({"items": [views.delivery(row) for row in rows], "next_cursor": following})


@blueprint.get("/deliveries/<any_text:delivery_id>", merge_slashes=False)
def show_delivery(delivery_id: str) -> Response:
    with reading(_door().engine).begin() as connection:
        return jsonify(views.whole_delivery(_find_delivery(connection, delivery_id)))


@blueprint.post("/deliveries/<any_text:delivery_id>/replay", merge_slashes=False)
def replay_delivery(delivery_id: str) -> tuple[Response, int]:
    _read_body(())
    made: list[str] = []

    def act(connection: Connection, now: datetime) -> Json:
        row = _find_delivery(connection, delivery_id)
        made.extend(replays.replay_delivery(connection, row, _door().rules, now=now))
        return {"jobs": list(made)}

    answer = _act(act)
    _door().knocker.knock(made)
    logger.info("ops.delivery_replayed", delivery=delivery_id, jobs=made)
    return jsonify(answer), 202


@blueprint.get("/jobs")
def list_jobs() -> Response:
    words = _words(filters.JOB_WORDS + filters.PAGE_WORDS)
    wanted, page = filters.read_job_filter(words, datetime.now(UTC)), filters.read_page(words, "job")
    with reading(_door().engine).begin() as connection:
        rows, following = finding.list_jobs(connection, wanted, page)
        healths = target_states.find(connection)
    return jsonify({"items": [views.job(row, healths) for row in rows], "next_cursor": following})


@blueprint.get("/jobs/<job_id>")
def show_job(job_id: str) -> Response:
    with reading(_door().engine).begin() as connection:
        history = [views.attempt(row) for row in finding.find_attempts(connection, job_id)]
        return jsonify({**_show_job(connection, job_id), "history": history})


@blueprint.post("/jobs/<job_id>/replay")
def replay_job(job_id: str) -> tuple[Response, int]:
    answer = _move(job_id, jobs.replay, "replayed")
    _door().knocker.knock([job_id])
    return answer


@blueprint.post("/jobs/<job_id>/cancel")
def cancel_job(job_id: str) -> tuple[Response, int]:
    return _move(job_id, jobs.cancel, "cancelled")


def _move(job_id: str, verb: Callable[..., bool], done: str) -> tuple[Response, int]:
    _read_body(())

    def act(connection: Connection, now: datetime) -> Json:
        moved = verb(connection, job_id, now=now)
        shown = _show_job(connection, job_id)
        if not moved:
            raise Conflict(f"a job that is {shown['status']} cannot be {done}")
        return shown

    answer = _act(act)
    logger.info("ops.job_changed", job=job_id, change=done)
    return jsonify(answer), 202


@blueprint.post("/jobs/replay")
def replay_jobs() -> tuple[Response, int]:
    body = _read_body(("filter", "dry_run"))
    wanted, is_dry = _read_filter(body), body.get("dry_run", False)
    if not isinstance(is_dry, bool):
        raise BadParameter("dry_run must be true or false")
    if is_dry:
        with reading(_door().engine).begin() as connection:
            return jsonify({"matched": replays.count(connection, wanted)}), 200

    def act(connection: Connection, now: datetime) -> Json:
        replayed = replays.replay_all(connection, wanted, now=now)
        return {"matched": replayed, "replayed": replayed}

    answer = _act(act)
    logger.info("ops.jobs_replayed", **answer)
    return jsonify(answer), 202


def _read_filter(body: Json) -> filters.JobFilter:
    words = body.get("filter")
    if not isinstance(words, dict) or not any(words.values()):
        raise BadParameter(f"filter must be an object with at least one of {', '.join(filters.JOB_WORDS)}")
    filters.check_known(words, filters.JOB_WORDS, "key of filter")
    for word, value in words.items():
        if not isinstance(value, str | None):
            raise BadParameter(f"filter.{word} must be a text")
    return filters.read_job_filter({word: value for word, value in words.items() if value}, datetime.now(UTC))


@blueprint.get("/targets")
def list_targets() -> Response:
    with reading(_door().engine).begin() as connection:
        return jsonify({"items": all_targets(connection, _door().rules)})


@blueprint.post("/targets/<name>/pause")
def pause_target(name: str) -> tuple[Response, int]:
    return _set_target(name, target_states.pause, "paused")


@blueprint.post("/targets/<name>/resume")
def resume_target(name: str) -> tuple[Response, int]:
    return _set_target(name, target_states.resume, "resumed")


def _set_target(name: str, verb: Callable[..., None], done: str) -> tuple[Response, int]:
    _read_body(())

    def act(connection: Connection, now: datetime) -> Json:
        if name not in {target["name"] for target in all_targets(connection, _door().rules)}:
            raise NotFound(f"there is no target {name!r}")
        verb(connection, name, now=now)
        return next(target for target in all_targets(connection, _door().rules) if target["name"] == name)

    answer = _act(act)
    logger.info("ops.target_changed", target=name, change=done)
    return jsonify(answer), 202


@blueprint.get("/stats")
def stats() -> Response:
    with reading(_door().engine).begin() as connection:
        oldest = counts.oldest_waiting_at(connection)
        return jsonify({**counts.count_by_status(connection), "oldest_waiting_at": views.moment(oldest)})


def _show_job(connection: Connection, job_id: str) -> Json:
    row = finding.find_job(connection, job_id)
    if row is None:
        raise NotFound("there is no job of this id")
    return views.job(row, target_states.find(connection))


def _find_delivery(connection: Connection, delivery_id: str) -> sa.Row[Any]:
    row = finding.find_delivery(connection, delivery_id, _words(("provider",)).get("provider") or None)
    if row is None:
        raise NotFound("there is no delivery of this id")
    return row


def _read_body(known: tuple[str, ...]) -> Json:
    """The request's JSON object; none at all is an empty one."""
    raw = request.get_data()
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadParameter("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadParameter("the body must be a JSON object")
    filters.check_known(body, known, "key" if known else "key; this call takes none")
    return body


def _act(act: Callable[[Connection, datetime], Json]) -> Json:
    """Run an act in one transaction, and only once for each Idempotency-Key."""
    now, key = datetime.now(UTC), request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,200}", key):
        raise BadParameter("Idempotency-Key must be 1 to 200 visible ASCII characters")
    with _door().engine.begin() as connection:

        def noted() -> Json:
            answer = act(connection, now)
            noting.note(connection, answer)
            return answer

        if key is None:
            return noted()
        scope = f"{request.method} {request.path}"[:300]
        return answers.once(connection, scope, key, request.get_data(), noted, now=now)
