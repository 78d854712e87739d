"""The pages that act: POST forms of an operator, each one transaction with its line in the audit log."""

from __future__ import annotations

from collections.abc import Callable

from flask import redirect, request, url_for
from sqlalchemy.engine import Connection
from werkzeug.wrappers import Response as AnyResponse

from shared.domain import filters
from shared.errors import BadParameter, Conflict, NotFound
from shared.infra import logs
from shared.ledger import audit, jobs, target_states
from shared.ledger.queries import lookup
from shared.ledger.tables import jobs as job_table
from webhook.dashboard import formatting
from webhook.dashboard.blueprint import blueprint, note, services
from webhook.dashboard.queries import read_targets
from webhook.ops import replays

logger = logs.get(__name__)


@blueprint.post("/jobs/<job_id>/replay")
def replay_job(job_id: str) -> AnyResponse:
    _move(job_id, jobs.replay, "job_replay", "replayed")
    services().notifier.notify([job_id])
    return redirect(url_for(".show_job", job_id=job_id), 303)


@blueprint.post("/jobs/<job_id>/cancel")
def cancel_job(job_id: str) -> AnyResponse:
    _move(job_id, jobs.cancel, "job_cancel", "cancelled")
    return redirect(url_for(".show_job", job_id=job_id), 303)


def _move(job_id: str, verb: Callable[..., bool], action: str, done: str) -> None:
    with services().engine.begin() as connection:
        if not verb(connection, job_id, now=formatting.now()):
            row = lookup.find_job(connection, job_id)
            if row is None:
                raise NotFound("there is no job of this id")
            raise Conflict(f"a job that is {row.status} cannot be {done}")
        note(connection, action, job_id)
    logger.info("ops.job_moved", job=job_id, done=done)


@blueprint.post("/deliveries/<any_text:delivery_id>/replay", merge_slashes=False)
def replay_delivery(delivery_id: str) -> AnyResponse:
    provider = request.form.get("provider") or None
    with services().engine.begin() as connection:
        row = lookup.find_delivery(connection, delivery_id, provider)
        if row is None:
            raise NotFound("there is no delivery of this id")
        made = replays.replay_delivery(connection, row, services().rules, now=formatting.now())
        note(connection, "delivery_replay", delivery_id, jobs=made)
    services().notifier.notify(made)
    logger.info("ops.delivery_replayed", delivery=delivery_id, jobs=made)
    return redirect(url_for(".show_delivery", delivery_id=delivery_id, provider=provider, replayed=len(made)), 303)


@blueprint.post("/jobs/replay")
def replay_jobs() -> AnyResponse:
    """All that the filter matches now; the sweeper feeds them out at the pace of their targets."""
    given = {word: value for word in filters.JOB_WORDS if (value := request.form.get(word, "").strip())}
    if not given:
        raise BadParameter("a bulk replay needs at least one word of the filter")
    wanted, now = filters.read_job_filter(given, formatting.now()), formatting.now()
    with services().engine.begin() as connection:
        seq = note(connection, "jobs_replay", None, filter=given)
        statement = jobs.requeue(now).values(replay_seq=seq).where(*replays.matching(wanted))
        replayed = connection.execute(statement).rowcount
        audit.add_detail(connection, seq, {"filter": given, "replayed": replayed})
    logger.info("ops.jobs_replayed", replayed=replayed)
    return redirect(url_for(".show_progress", seq=seq), 303)


@blueprint.post("/replays/<int:seq>/cancel")
def cancel_replay(seq: int) -> AnyResponse:
    """Cancel what has not begun of a bulk replay."""
    with services().engine.begin() as connection:
        statement = jobs.move("cancel", job_table.c.replay_seq == seq).values(waiting=None, updated_at=formatting.now())
        cancelled = connection.execute(statement).rowcount
        note(connection, "jobs_cancel", str(seq), cancelled=cancelled)
    logger.info("ops.jobs_cancelled", replay=seq, cancelled=cancelled)
    return redirect(url_for(".show_progress", seq=seq), 303)


@blueprint.post("/targets/<name>/pause")
def pause_target(name: str) -> AnyResponse:
    return _set_target(name, target_states.pause, "target_pause")


@blueprint.post("/targets/<name>/resume")
def resume_target(name: str) -> AnyResponse:
    return _set_target(name, target_states.resume, "target_resume")


def _set_target(name: str, verb: Callable[..., None], action: str) -> AnyResponse:
    with services().engine.begin() as connection:
        _check_target(connection, name)
        verb(connection, name, now=formatting.now())
        note(connection, action, name)
    logger.info("ops.target_set", target=name, action=action)
    return redirect(url_for(".list_targets"), 303)


def _check_target(connection: Connection, name: str) -> None:
    if name not in {target["name"] for target in read_targets(connection, services().rules)}:
        raise NotFound("there is no such target")
