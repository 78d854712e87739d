"""Rows as the contract's JSON (section 4), the same for API, command line and pages. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import parse_qs

from shared.domain.job_states import WAITING, JobState
from shared.domain.reasons import Party, Reason
from shared.domain.target_health import Health, TargetState
from shared.domain.times import rfc3339
from shared.ledger.rows import AttemptRow, DeliveryRow, JobRow, ListedDelivery, ListedJob, OutcomeRow, Row
from webhook.ops import shapes
from webhook.ops.advice import advise, advise_job

Json = dict[str, Any]
_BROKER_DOWN = "the broker does not answer; the job starts when it is back"
_JOB_COLUMNS = tuple(name for name in shapes.Job.__annotations__ if name != "advice")


def _never(_: datetime | None) -> bool:
    return False


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
    why = waiting(row, healths, waits_for_broker) if waits else None
    shown: Any = {name: held[name] for name in _JOB_COLUMNS} | {
        "next_attempt_at": moment(held["next_attempt_at"]) if waits else None,
        "created_at": rfc3339(held["created_at"]),
        "updated_at": rfc3339(held["updated_at"]),
        "waiting": why,
        "warnings": held["warnings"] or [],
        "advice": advise_job(held["status"], held["reason"], why),
    }
    return cast(shapes.Job, shown)


def _by_name(rows: Sequence[Row]) -> list[Json]:
    """The columns of each row by their names: asking a row itself for each of twenty takes twice as long."""
    names = rows[0]._fields if rows else ()
    return [dict(zip(names, row, strict=True)) for row in rows]


def waiting(
    row: ListedJob | OutcomeRow, healths: Mapping[str, Health], waits_for_broker: WaitsForBroker = _never
) -> shapes.Waiting | None:
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
    found: shapes.Waiting = {
        "code": health.reason or Reason.TARGET_PAUSED,
        "detail": why,
        "until": moment(health.paused_until),
    }
    return {**found, "party": party} if (party := pause_party(health)) else found


def pause_party(health: Health) -> Party | None:
    """Us where a person paused the target: until a person resumes it."""
    is_for_good = health.state is TargetState.PAUSED and health.paused_until is None
    return Party.TAGSHIP if is_for_good and health.reason == Reason.TARGET_PAUSED else None


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


def named_delivery(row: ListedDelivery) -> shapes.NamedDelivery:
    return {
        "id": row.delivery_id,
        "provider": row.provider,
        "repository": row.repository,
        "event": row.event,
        "ref": row.ref,
        "created_at": rfc3339(row.created_at),
    }


def delivery(row: ListedDelivery, made: Mapping[str, OutcomeRow], healths: Mapping[str, Health]) -> shapes.Delivery:
    """`made`: the jobs of this delivery, of others too, by id (`lookup.find_outcomes`)."""
    decides, outcome = outcome_of(row, made, healths)
    if decides is None:
        advice = advise(row.reason)
    else:
        advice = advise_job(decides.status, decides.reason, waiting(decides, healths) if decides.status in WAITING else None)
    return {
        **named_delivery(row),
        "status": row.status,
        "reason": row.reason,
        "detail": row.detail,
        "outcome": outcome,
        "advice": advice,
    }


_SAID = {
    JobState.SUCCEEDED: "released",
    JobState.FAILED: "failed",
    JobState.RUNNING: "running",
    JobState.CANCELLED: "cancelled",
}
_WORST_FIRST = ("failed", "waiting", "running", "cancelled", "released")


def outcome_of(
    row: ListedDelivery, made: Mapping[str, OutcomeRow], healths: Mapping[str, Health]
) -> tuple[OutcomeRow | None, shapes.DeliveryOutcome]:
    """What became of a delivery, and the job that decides it: the worst one's, so that one failure of three is seen."""
    found = [made[job_id] for job_id in row.jobs if job_id in made]
    if not found:
        state = row.status if row.status != "accepted" else "expired"
        text = f"{state}: {row.reason}" if row.reason else state if row.jobs else "nothing to do"
        return None, {"state": state, "text": text, "job": None}
    states = [_SAID.get(JobState(one.status), "waiting") for one in found]
    state = min(states, key=_WORST_FIRST.index)
    decides = next(one for one, said in zip(found, states, strict=True) if said == state)
    text = _outcome_text(state, decides, healths)
    if len(found) > 1 and state == "released":
        text = f"released {', '.join(dict.fromkeys(one.version for one in found))}"
    elif len(found) > 1:
        text += f" at {decides.target} ({states.count(state)} of {len(found)} jobs)"
    return decides, {"state": state, "text": text, "job": decides.id}


def _outcome_text(state: str, one: OutcomeRow, healths: Mapping[str, Health]) -> str:
    if state == "waiting":
        why = waiting(one, healths)
        return f"waiting: {why['code'] if why else one.reason or ('retry' if one.attempts else 'queued')}"
    if state == "failed":
        return f"failed: {one.reason or one.error or 'unknown'}"
    return {"released": f"released {one.version}", "running": f"running: {one.version}"}.get(state, state)


def whole_delivery(
    row: DeliveryRow,
    made: Mapping[str, OutcomeRow] = MappingProxyType({}),
    healths: Mapping[str, Health] = MappingProxyType({}),
) -> shapes.WholeDelivery:
    """`why`: the rules tried in order and the one that decided. `headers` and `payload` are null once they have expired."""
    tried = row.why or []
    decided = next((step["rule"] for step in tried if step["matched"]), None)
    return {
        **delivery(row, made, healths),
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
