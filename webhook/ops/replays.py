"""Replays: one delivery decided again, and how far a bulk replay has come. Takes a connection, never commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Connection

from shared.domain.push import Push
from shared.domain.rules import Decision, Rules, decide
from shared.errors import Conflict, NotFound, Rejected
from shared.forges.reading import read_stored_push
from shared.ledger import audit, bulk_acts
from shared.ledger import deliveries as ledger
from shared.ledger.rows import DeliveryRow
from shared.ledger.tables import deliveries

_MOST_SEQ = 2**63
_VERBS = {"jobs_replay": "replay", "jobs_recollect": "recollect"}  # by the action of the audit line


def replay_delivery(connection: Connection, row: DeliveryRow, rules: Rules, *, now: datetime) -> list[str]:
    """Decide a stored delivery again; the ids of the jobs that now wait: only of what has not succeeded.

    `row` comes from `lookup.find_delivery`. Raises Conflict when there is nothing left to decide upon.
    """
    push = read_push(row)
    if push is None:
        return []
    decision = decide(push, rules)
    made: list[str] = []
    ids = list(row.jobs)
    for work in decision.work:
        job_id, waits = ledger.queue_again(connection, push, work, row.seq, row.delivery_id, now, rules.sources)
        ids += [] if job_id in ids else [job_id]
        made += [job_id] if waits else []
    if made:
        connection.execute(deliveries.update().where(deliveries.c.seq == row.seq).values(jobs=ids, **_decided(decision)))
    return made


def why_nothing(row: DeliveryRow, rules: Rules) -> str | None:
    """Why `replay_delivery` found nothing to do, as a sentence; None where all it asks for has succeeded or waits already.

    Raises Conflict as that does.
    """
    push = read_push(row)
    if push is None:
        return "it announces no commit, so there is nothing to release"
    decision = decide(push, rules)
    if decision.work:
        return None
    return f"{decision.detail} ({decision.reason}); a changed tagship.toml is in force within seconds"


def read_push(row: DeliveryRow) -> Push | None:
    """The stored push, None when the delivery was something else. Raises Conflict when it cannot be read any more."""
    if row.body is None or row.headers is None:
        gone = "was refused, so nothing of it was kept" if row.status == "refused" else "has expired"
        raise Conflict(f"the payload of this delivery {gone}")
    try:
        return read_stored_push(row.provider, row.headers, row.body)
    except Rejected as problem:
        raise Conflict(f"the stored payload cannot be read: {problem}") from None


def _decided(decision: Decision) -> dict[str, Any]:
    """What the delivery's page says from now on: today's decision."""
    return {
        "status": "accepted",
        "reason": decision.reason,
        "detail": decision.detail,
        "why": [step.as_json() for step in decision.trail],
    }


def count(connection: Connection, words: Mapping[str, str], verb: bulk_acts.Verb = "replay") -> int:
    """How many jobs a bulk replay or recollect that begins now would queue. Raises BadParameter."""
    return bulk_acts.count(connection, verb, words, now=datetime.now(UTC))


def find_replay(connection: Connection, seq: int) -> dict[str, Any]:
    """A bulk replay or recollect and how far it has come. `seq`: the number of its audit line, or of one that cancelled it.

    {"replay", "verb": "replay" | "recollect", "state": "running" | "done" | "cancelled", "by", "filter", "matched",
    "replayed", "jobs": {state: n}, "started_at", "ended_at"}; the times are datetimes. Raises NotFound.
    """
    entry = audit.find(connection, seq) if seq < _MOST_SEQ else None
    if entry is not None and entry.action == "jobs_cancel" and entry.subject is not None:
        entry = audit.find(connection, int(entry.subject))
    if entry is None or entry.action not in _VERBS:
        raise NotFound("no bulk replay with this number")
    act, detail = bulk_acts.find(connection, entry.seq), entry.detail or {}
    replayed = act.handled if act else detail.get("replayed", 0)  # before there were bulk acts the line said it all
    return {
        "replay": entry.seq,
        "verb": _VERBS[entry.action],
        "state": act.state if act else "done",
        "by": entry.role,
        "filter": detail.get("filter", {}),
        "matched": act.matched if act else replayed,
        "replayed": replayed,
        "jobs": bulk_acts.count_states(connection, entry.seq),
        "started_at": entry.at,
        "ended_at": act.ended_at if act else entry.at,
    }
