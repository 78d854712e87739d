"""How an act of an operator is carried out: its transaction, its audit line, its log line, and once for each key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from shared.infra import logs
from shared.infra.database import reading
from shared.ledger import audit, bulk_acts, idempotency
from shared.ledger.bulk_acts import BulkAct, Verb
from webhook.services import Services

Json = dict[str, Any]
OnStep = Callable[[BulkAct], object]

logger = logs.get("webhook.ops.operations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, and through which interface. `request`: the act is done once for each Idempotency-Key."""

    door: audit.Door
    role: str = "operator"
    address: str | None = None
    request: idempotency.Request | None = None


class Done(NamedTuple):
    """What an act came to."""

    answer: Json
    detail: Json | None = None  # of the audit line
    notify: Sequence[str] = ()  # ids of jobs that now wait


def perform(
    services: Services, actor: Actor, action: str, subject: str | None, do: Callable[[Connection, datetime], Done]
) -> Json:
    """Run an act in one transaction with its audit line; then notify and log, unless a kept answer was given again."""
    now, done = datetime.now(UTC), list[Done]()
    with services.engine.begin() as connection:

        def act() -> Json:
            done.append(do(connection, now))
            _record(connection, actor, action, subject, done[0].detail)
            return done[0].answer

        answer = act() if actor.request is None else idempotency.once(connection, actor.request, act, now=now)
    for one in done:
        services.notifier.notify(one.notify)
        _log(actor, action, subject, one.detail)
    return answer


def perform_bulk(
    services: Services, actor: Actor, action: str, subject: str | None, verb: Verb, wanted: Json, on_step: OnStep
) -> BulkAct:
    """Begin an act upon many jobs, or find the one that this Idempotency-Key began, and go on until it has ended."""
    now, detail = datetime.now(UTC), None if verb == "cancel" else {"filter": wanted}
    with reading(services.engine).begin() as connection:
        matched = bulk_acts.count(connection, verb, wanted, now=now)
    with services.engine.begin() as connection:

        def act() -> Json:
            seq = _record(connection, actor, action, subject, detail)
            bulk_acts.begin(connection, seq, verb, wanted, matched, now=now)
            return {"replay": seq}

        answer = act() if actor.request is None else idempotency.once(connection, actor.request, act, now=now)
        found = bulk_acts.find(connection, answer.get("replay", 0))
    if found is None:  # an answer that was kept before there were bulk acts
        return BulkAct(0, verb, {}, "done", answer["matched"], answer["replayed"], "", now, now, now)
    while found.state == "running":
        with services.engine.begin() as connection:
            moved = bulk_acts.step(connection, found.seq, now=datetime.now(UTC))
            found = moved or bulk_acts.find(connection, found.seq) or found._replace(state="done")
        on_step(found)
        if moved is not None and moved.state == "done":
            _log(actor, action, subject, {**(detail or {}), "handled": moved.handled})
    return found


def _record(connection: Connection, actor: Actor, action: str, subject: str | None, detail: Json | None) -> int:
    return audit.record(
        connection,
        door=actor.door,
        role=actor.role,
        address=actor.address,
        action=action,
        subject=subject,
        detail=detail,
    )


def _log(actor: Actor, action: str, subject: str | None, detail: Json | None) -> None:
    event = f"ops.{action}"
    logger.info(event, door=actor.door, subject=subject, **(detail or {}))
