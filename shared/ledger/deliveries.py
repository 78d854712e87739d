"""The ledger's front page: writes a delivery and its jobs down in one transaction, or finds that it was here before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.ids import new_id
from shared.domain.job_states import JobState, Trigger
from shared.domain.moves import Announced, is_older, newest
from shared.domain.names import clean
from shared.domain.push import Push
from shared.domain.reasons import Reason
from shared.domain.rules import Decision, Source, Work
from shared.domain.webhook import Hook
from shared.infra.database import upsert
from shared.ledger import identities, job_keys, job_transitions, push_history, recollects, repeated_moves
from shared.ledger.tables import deliveries, jobs, payloads

_DECIDED_BY_RULES = (Reason.NO_RULE, Reason.BRANCH_NOT_MATCHED, Reason.VERSION_REFUSED)  # why a delivery was ignored
_NO_PUSH = (Reason.EVENT_IGNORED, Reason.PING)
_DECIDED_ANEW = ("status", "reason", "detail", "why")
_READ_ANEW = ("event", "repository", "repository_id", "ref", "to_log")
_LONGEST_HEADER = 1_000


class Receipt(NamedTuple):
    """What became of a delivery. `knock` are the ids of jobs that now wait and were not waiting before."""

    delivery_id: str
    status: Literal["accepted", "ignored", "duplicate"]
    jobs: tuple[str, ...] = ()
    replayed: tuple[str, ...] = ()
    knock: tuple[str, ...] = ()
    reason: str | None = None
    detail: str | None = None


class Arrival(NamedTuple):
    """A verified delivery and what it becomes, to be stored. `headers`: those of its provider's `kept_headers` alone."""

    provider: str
    hook: Hook
    decision: Decision
    headers: Mapping[str, str]
    body: bytes
    now: datetime
    sources: Sequence[Source] = ()  # of the configuration: which repositories the same secrets speak for
    body_digest: bytes | None = None  # of a signed body that is one event's (`Provider.is_body_unique`)


def accept(connection: Connection, arrival: Arrival) -> Receipt:
    """Store a verified delivery with its payload and jobs. An id, or a signed body, seen before only revives failed jobs.

    `shared/ledger/bulk_insert.py` does the same for many at once, as long as all of them are new.
    """
    hook = arrival.hook
    statement = (
        upsert(connection, deliveries)
        .values(delivery_values(arrival))
        .on_conflict_do_nothing()  # its id or its body was here before
        .returning(deliveries.c.seq)
    )
    seq = connection.execute(statement).scalar_one_or_none()
    if seq is None:
        own_id = repeated_moves.own_id(connection, arrival.provider, hook)
        if own_id is None:
            return _again(connection, arrival)
        return accept(connection, arrival._replace(hook=replace(hook, delivery_id=own_id, is_id_derived=False)))
    connection.execute(payloads.insert().values(payload_values(arrival, seq)))
    return _insert_jobs(connection, arrival, seq) if arrival.decision.work else receipt_of(arrival)


def _insert_jobs(connection: Connection, arrival: Arrival, seq: int) -> Receipt:
    hook = arrival.hook
    assert isinstance(hook.content, Push)  # noqa: S101  (decide() makes work of a Push only)
    made = [_insert_job(connection, hook.content, work, seq, arrival) for work in arrival.decision.work]
    ids = tuple(job_id for job_id, _ in made)
    connection.execute(deliveries.update().where(deliveries.c.seq == seq).values(jobs=list(ids)))
    return receipt_of(arrival, ids, knock=tuple(job_id for job_id, waits in made if waits))


def receipt_of(arrival: Arrival, ids: tuple[str, ...] = (), knock: tuple[str, ...] = ()) -> Receipt:
    """The receipt of a delivery that was stored just now."""
    decision = arrival.decision
    return Receipt(
        delivery_id=arrival.hook.delivery_id,
        status="accepted" if decision.work else "ignored",
        jobs=ids,
        knock=knock,
        reason=decision.reason,
        detail=decision.detail,
    )


def delivery_values(arrival: Arrival) -> dict[str, Any]:
    """The row of a new delivery, but for its seq."""
    hook, content, decision = arrival.hook, arrival.hook.content, arrival.decision
    return {
        "delivery_id": hook.delivery_id,
        "dedupe_key": hook.dedupe_key,
        "provider": arrival.provider,
        "event": hook.event,
        "repository": content.repository.full_name if content.repository else None,
        "ref": content.ref.full if content.ref else None,
        "status": "accepted" if decision.work else "ignored",
        "reason": decision.reason,
        "detail": decision.detail,
        "why": [step.as_json() for step in decision.trail],
        "jobs": [],
        "created_at": arrival.now,
        "to_log": isinstance(content, Push),
        "repository_id": content.repository.id if content.repository else None,
        "body_digest": arrival.body_digest,
    }


def payload_values(arrival: Arrival, seq: int) -> dict[str, Any]:
    headers = {name: clean(value[:_LONGEST_HEADER]) for name, value in arrival.headers.items()}
    return {"delivery_seq": seq, "headers": headers, "body": arrival.body}


def _again(connection: Connection, arrival: Arrival) -> Receipt:
    """A redelivery is the sender's way to ask for another try: what had failed is queued again, a list that is partial is
    collected again, and what no rule wanted is decided by today's rules."""
    hook, now = arrival.hook, arrival.now
    row = _find_first(connection, arrival)
    # Neither the id nor the event's header is signed: a push that came first as another event is one all the same.
    is_other_event = row.reason in _NO_PUSH and isinstance(hook.content, Push)
    if row.status == "ignored" and (is_other_event or (row.reason in _DECIDED_BY_RULES and arrival.decision.work)):
        first = arrival._replace(hook=replace(hook, delivery_id=row.delivery_id))
        return _take_after_all(connection, first, row.seq, _READ_ANEW if is_other_event else ())
    ids = tuple(row.jobs)
    replayed = tuple(
        job_id
        for job_id in ids
        if job_transitions.replay(connection, job_id, now=now, only=(JobState.FAILED,))
        or recollects.begin_if_partial(connection, job_id, now=now)
    )
    return Receipt(delivery_id=row.delivery_id, status="duplicate", jobs=ids, replayed=replayed, knock=replayed)


def _find_first(connection: Connection, arrival: Arrival) -> sa.Row[Any]:
    """The stored delivery that has this one's id, else its body."""
    columns = [deliveries.c[name] for name in ("seq", "delivery_id", "status", "reason", "jobs")]
    by_id = (deliveries.c.provider == arrival.provider, deliveries.c.dedupe_key == arrival.hook.dedupe_key)
    row = connection.execute(sa.select(*columns).where(*by_id)).one_or_none()
    if row is not None:
        return row
    return connection.execute(sa.select(*columns).where(deliveries.c.body_digest == arrival.body_digest)).one()


def _take_after_all(connection: Connection, arrival: Arrival, seq: int, read_anew: Sequence[str]) -> Receipt:
    """Jobs of a delivery that was ignored when it came first. `read_anew`: columns that another event's header had made."""
    decided = delivery_values(arrival)
    changed = {name: decided[name] for name in (*_DECIDED_ANEW, *read_anew)}
    connection.execute(deliveries.update().where(deliveries.c.seq == seq).values(changed))
    if read_anew:
        connection.execute(payloads.delete().where(payloads.c.delivery_seq == seq))
    payload = upsert(connection, payloads).values(payload_values(arrival, seq))  # the stored one may have expired
    connection.execute(payload.on_conflict_do_nothing(index_elements=["delivery_seq"]))
    return _insert_jobs(connection, arrival, seq) if arrival.decision.work else receipt_of(arrival)


def _insert_job(connection: Connection, push: Push, work: Work, seq: int, arrival: Arrival) -> tuple[str, bool]:
    """A job that failed, whose release another commit of its ref has replaced since, or whose branch is back on its commit and
    is deployed again, is queued again."""
    now = arrival.now

    def revive(existing: str) -> bool:
        is_branch, known = push.ref.kind == "branch", identities.locate(connection, push.repository, arrival.sources)
        last = newest(push_history.announced(connection, known.log_key, push.ref.full))
        this = Announced(push.sha, push.pushed_at)
        if last is not None and is_older(this, last):  # sent again, long after: the ref has moved on since
            return job_transitions.replay(connection, existing, now=now, only=(JobState.FAILED,))
        has_moved = not is_branch and last is not None and is_older(last, this) and last.sha != push.sha
        is_back = work.environment is not None and repeated_moves.is_new(
            connection, arrival.provider, push, arrival.headers, seq
        )
        waits = job_transitions.replay(connection, existing, now=now, only=(JobState.FAILED,))
        if not waits:
            names = identities.names_of(connection, push.repository, arrival.sources).every
            waits = job_transitions.bring_back(
                connection, existing, names, now=now, always=has_moved or (is_back and is_branch)
            )
        if is_back and (waits or is_branch):
            job_transitions.ask_for_deploy(connection, existing, now=now)
        return waits

    values = job_values(push, work, seq, arrival.hook.delivery_id, Trigger.WEBHOOK, now)
    return _ensure_job(connection, push, values, arrival.sources, revive)


def queue_again(
    connection: Connection, push: Push, work: Work, seq: int, delivery_id: str, now: datetime, sources: Sequence[Source] = ()
) -> tuple[str, bool]:
    """A person's replay: a new job, or the one that failed or was cancelled, now as today's rules want it."""
    values = job_values(push, work, seq, delivery_id, Trigger.REPLAY, now)

    def revive(existing: str) -> bool:
        wanted = {name: values[name] for name in ("version", "spec", "delivery_seq", "delivery_id")}
        return connection.execute(job_transitions.requeue(now).where(jobs.c.id == existing).values(wanted)).rowcount == 1

    return _ensure_job(connection, push, values, sources, revive)


def adopt(
    connection: Connection,
    push: Push,
    work: Work,
    trigger: Trigger,
    now: datetime,
    sources: Sequence[Source] = (),
    *,
    tag_at: datetime | None = None,
) -> tuple[str, bool]:
    """(job id, whether it now waits) of a tag whose webhook never came; a job of it that failed is queued again.

    `tag_at`: when the tag was made, where the forge said so.
    """
    push = replace(push, repository=identities.locate(connection, push.repository, sources))
    values = job_values(push, work, None, None, trigger, now) | {"event_at": tag_at}
    revive = partial(job_transitions.replay, connection, now=now)
    return _ensure_job(connection, push, values, sources, revive)


def _ensure_job(
    connection: Connection, push: Push, values: dict[str, Any], sources: Sequence[Source], revive: Callable[[str], bool]
) -> tuple[str, bool]:
    """(job id, whether it now waits). What was announced before is the same job, which `revive` may queue again."""
    existing, values["key"] = job_keys.find(connection, push, values["target"], sources)
    if existing is None:
        statement = upsert(connection, jobs).values(values).on_conflict_do_nothing(index_elements=["key"]).returning(jobs.c.id)
        made: str | None = connection.execute(statement).scalar_one_or_none()
        if made is not None:
            return made, True
        existing = str(connection.execute(sa.select(jobs.c.id).where(jobs.c.key == values["key"])).scalar_one())
    return existing, revive(existing)


def job_values(
    push: Push, work: Work, seq: int | None, delivery_id: str | None, trigger: Trigger, now: datetime
) -> dict[str, Any]:
    """The row of a new job, which waits to be run."""
    return {
        "id": new_id(now),
        "key": job_keys.key_of(work.target, push),
        "delivery_seq": seq,
        "delivery_id": delivery_id,
        "provider": push.repository.provider,
        "repository": push.repository.full_name,
        "repository_id": push.repository.id,
        "ref": push.ref.full,
        "sha": push.sha,
        "target": work.target,
        "version": work.version,
        "spec": {
            "rule": work.rule,
            "projects": list(work.projects),
            "set_commits": work.set_commits,
            "finalize": work.finalize,
            "environment": work.environment,
        },
        "status": JobState.QUEUED,
        "trigger": trigger,
        "attempts": 0,
        "attempts_allowed": job_transitions.BUDGET,
        "next_attempt_at": now,
        "knock_at": now + job_transitions.KNOCK_AGAIN_AFTER,  # the receiver knocks first, right after the commit
        "created_at": now,
        "updated_at": now,
    }
