"""Rows as the contract's JSON (section 4), the same for API, command line and pages. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from urllib.parse import parse_qs

from shared.domain.job_states import WAITING
from shared.domain.reasons import Reason
from shared.domain.target_health import Health, TargetState
from shared.domain.times import rfc3339
from shared.ledger.rows import AttemptRow, DeliveryRow, JobRow, ListedDelivery, ListedJob, Row
from webhook.ops import shapes

Json = dict[str, Any]
_BROKER_DOWN = "the broker does not answer; the job starts when it is back"


def moment(value: datetime | None) -> str | None:
    """RFC 3339 in UTC with `Z`."""
    return None if value is None else rfc3339(value)


WaitsForBroker = Callable[[datetime | None], bool]  # whether a job that is due since then does, see `Services`


def job(row: JobRow, healths: Mapping[str, Health], waits_for_broker: WaitsForBroker) -> shapes.Job:
    (shown,) = list_jobs([row], healths, waits_for_broker)
    return shown


def list_jobs(rows: Sequence[ListedJob], healths: Mapping[str, Health], waits_for_broker: WaitsForBroker) -> list[shapes.Job]:
    return [_job(held, row, healths, waits_for_broker) for held, row in zip(_by_name(rows), rows, strict=True)]


def _job(held: Json, row: ListedJob, healths: Mapping[str, Health], waits_for_broker: WaitsForBroker) -> shapes.Job:
    waits = held["status"] in WAITING
    shown: Any = {name: held[name] for name in shapes.Job.__annotations__} | {
        "next_attempt_at": moment(held["next_attempt_at"]) if waits else None,
        "created_at": rfc3339(held["created_at"]),
        "updated_at": rfc3339(held["updated_at"]),
        "waiting": waiting(row, healths, waits_for_broker) if waits else None,
        "warnings": held["warnings"] or [],
    }
    return cast(shapes.Job, shown)


def _by_name(rows: Sequence[Row]) -> list[Json]:
    """The columns of each row by their names: asking a row itself for each of twenty takes twice as long."""
    names = rows[0]._fields if rows else ()
    return [dict(zip(names, row, strict=True)) for row in rows]


def waiting(row: ListedJob, healths: Mapping[str, Health], waits_for_broker: WaitsForBroker) -> shapes.Waiting | None:
    """What a job waits for without spending an attempt: a paused target is read from the target, a broker that is down from the
    broker, not from the job."""
    if row.waiting is not None:
        return cast(shapes.Waiting, row.waiting)
    health = healths.get(row.target)
    if health is None or health.state is TargetState.OK or health.probe_job == row.id:
        if waits_for_broker(row.next_attempt_at):
            return {"code": Reason.BROKER_DOWN, "detail": _BROKER_DOWN, "until": None}
        return None
    why = health.detail or "its target is paused"
    return {"code": Reason.TARGET_PAUSED, "detail": why, "until": moment(health.paused_until)}


def replay(found: Mapping[str, Any]) -> Json:
    """A bulk replay, from `replays.find_replay`."""
    return {**found, "started_at": moment(found["started_at"]), "ended_at": moment(found["ended_at"])}


def attempt(row: AttemptRow) -> shapes.Attempt:
    """`exchanges`: the calls to the target, bounded and masked; empty once they have expired, or when none was made."""
    kept = row.exchanges or {"exchanges": [], "left_out": 0}
    return {
        "number": row.number,
        "trigger": row.trigger,
        "started_at": rfc3339(row.started_at),
        "finished_at": moment(row.finished_at),
        "outcome": row.outcome,
        "http_status": row.http_status,
        "error": row.error,
        "exchanges": kept["exchanges"],
        "exchanges_left_out": kept["left_out"],
    }


def delivery(row: ListedDelivery) -> shapes.Delivery:
    (shown,) = list_deliveries([row])
    return shown


def list_deliveries(rows: Sequence[ListedDelivery]) -> list[shapes.Delivery]:
    return [_delivery(held) for held in _by_name(rows)]


def _delivery(held: Json) -> shapes.Delivery:
    return {
        "id": held["delivery_id"],
        "provider": held["provider"],
        "repository": held["repository"],
        "event": held["event"],
        "ref": held["ref"],
        "status": held["status"],
        "reason": held["reason"],
        "detail": held["detail"],
        "created_at": rfc3339(held["created_at"]),
    }


def whole_delivery(row: DeliveryRow) -> shapes.WholeDelivery:
    """`why`: the rules tried in order and the one that decided. `headers` and `payload` are null once they have expired."""
    tried = row.why or []
    decided = next((step["rule"] for step in tried if step["matched"]), None)
    return {
        **delivery(row),
        "why": {"rules": cast("list[shapes.RuleTried]", tried), "decided": decided},
        "jobs": list(row.jobs),
        "headers": row.headers,
        "payload": None if row.body is None else _payload(row.body),
    }


def _payload(body: bytes) -> Any:
    """The JSON that was sent, also out of GitHub's form."""
    text = body.decode("utf-8", "replace")
    if text.startswith("payload="):
        text = parse_qs(text).get("payload", [""])[0]
    try:
        return json.loads(text, parse_float=_finite)
    except ValueError:
        return text


def _finite(text: str) -> float | str:
    """A number beyond all bounds stays as it was written: JSON has no word for infinity."""
    value = float(text)
    return text if math.isinf(value) else value
