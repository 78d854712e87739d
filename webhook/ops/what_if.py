"""What if the rules were these? Decides stored deliveries again under another config. Writes nothing, calls nobody.

`before` is what became of a delivery, as it stands in the ledger: so a config that was edited in place and is not in
force yet, and one that is in force but was not when the delivery came, are both told apart from what happened.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.domain.rules import Decision, Rules, Work, decide
from shared.errors import Conflict
from shared.infra.database import reading
from shared.ledger.queries import lookup
from shared.ledger.rows import DeliveryRow, JobRow, ListedDelivery
from shared.ledger.tables import deliveries
from webhook.ops import replays, serializers, shapes, trial_shapes

MOST, USUAL = 1_000, 500  # deliveries of one what-if that somebody waits for
SECONDS = 5.0  # one has a thread of the receiver for so long
STEP = 200  # deliveries whose numbers are read at once; their payloads are read one by one


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery: `reason` is a stable code; releases sorted by target, without the names of their rules,
    since nothing that is sent depends on those."""

    status: Literal["accepted", "ignored"]
    reason: str | None
    releases: tuple[Work, ...] = ()

    def as_json(self) -> trial_shapes.Verdict:
        releases: Any = [{**work._asdict(), "projects": list(work.projects)} for work in self.releases]
        for release in releases:
            del release["rule"]
        return {"status": self.status, "reason": self.reason, "releases": releases}

    @property
    def texts(self) -> list[str]:
        """One for each release: `shop@1 at main (shop-web; deploy to production)`."""
        return [_as_text(work) for work in self.releases]

    def as_text(self) -> str:
        said = ", ".join(self.texts) or self.reason
        return f"{self.status}: {said}" if said else self.status


@dataclass(frozen=True, slots=True)
class Compared:
    """One stored delivery under the other config. `after` is None where its payload is gone or cannot be read."""

    delivery: shapes.NamedDelivery
    before: Verdict
    after: Verdict | None

    @property
    def is_changed(self) -> bool:
        return self.after is not None and self.after != self.before

    def as_json(self) -> trial_shapes.ChangedDelivery:
        after = self.after.as_json() if self.after else None
        return cast(trial_shapes.ChangedDelivery, {**self.delivery, "before": self.before.as_json(), "after": after})


@dataclass(frozen=True, slots=True)
class Summary:
    """`expired`: deliveries whose payload is gone. `is_cut`: time or room ran out, older deliveries were not looked at."""

    looked_at: int
    expired: int
    changes: tuple[Compared, ...]
    is_cut: bool = False

    def as_json(self) -> trial_shapes.WhatIf:
        return {
            "looked_at": self.looked_at,
            "expired": self.expired,
            "changed": len(self.changes),
            "is_cut": self.is_cut,
            "items": [change.as_json() for change in self.changes],
        }


def verdict_of(decision: Decision) -> Verdict:
    return Verdict(
        "accepted" if decision.work else "ignored",
        decision.reason,
        _sorted(decision.work),
    )


def stored_verdict(row: ListedDelivery, made: Sequence[JobRow]) -> Verdict:
    """What became of a delivery; `made` are the rows of its jobs."""
    work = [
        Work(target=job.target, version=job.version, **{**job.spec, "projects": tuple(job.spec["projects"])}) for job in made
    ]
    return Verdict(cast(Literal["accepted", "ignored"], row.status), row.reason, _sorted(work))


def _sorted(work: Iterable[Work]) -> tuple[Work, ...]:
    return tuple(sorted((each._replace(rule="") for each in work), key=lambda each: (each.target, each.version)))


def _as_text(work: Work) -> str:
    """`shop@1 at main (shop-web; deploy to production)`."""
    notes = [", ".join(work.projects)]
    notes += [f"commits {work.set_commits}"] if work.set_commits != "auto" else []
    notes += [f"deploy to {work.environment}"] if work.environment else []
    notes += ["not finalized"] if not work.finalize else []
    return f"{work.version} at {work.target} ({'; '.join(notes)})"


def count_stored(engine: Engine, most: int) -> int:
    """How many deliveries `compare` looks at."""
    some = sa.select(sa.literal(1)).where(deliveries.c.status != "refused").limit(most).subquery()
    with reading(engine).begin() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def compare(engine: Engine, rules: Rules, last: int, *, step: int = STEP) -> Iterator[Compared]:
    """The newest `last` stored deliveries, newest first, each in a short transaction of its own; refused ones have no
    payload and are not counted."""
    before: int | None = None
    while last > 0:
        with reading(engine).begin() as connection:
            stored = sa.select(deliveries.c.seq).where(deliveries.c.status != "refused")
            stored = stored if before is None else stored.where(deliveries.c.seq < before)
            found = list(connection.execute(stored.order_by(deliveries.c.seq.desc()).limit(min(last, step))).scalars())
        for seq in found:
            if (compared := _compare(engine, rules, seq)) is not None:
                yield compared
        if len(found) < min(last, step):
            return
        last, before = last - len(found), found[-1]


def _compare(engine: Engine, rules: Rules, seq: int) -> Compared | None:
    """None for a delivery that was deleted in the meantime."""
    with reading(engine).begin() as connection:
        row = lookup.find_delivery_by_seq(connection, seq)
        if row is None:
            return None
        before = stored_verdict(row, lookup.find_jobs(connection, list(row.jobs)))
    return Compared(serializers.named_delivery(row), before, _after(row, before, rules))


def _after(row: DeliveryRow, before: Verdict, rules: Rules) -> Verdict | None:
    try:
        push = replays.read_push(row)
    except Conflict:
        return None
    return before if push is None else verdict_of(decide(push, rules))  # no rule decides what is not a push


def summarise(compared: Iterable[Compared], has_time: Callable[[], bool] = lambda: True, room: float = math.inf) -> Summary:
    """Look at all of them, or at as many as there is time for, and room (characters of verdicts in the answer)."""
    looked_at, expired, is_cut = 0, 0, False
    changes: list[Compared] = []
    for one in compared:
        if is_cut := room <= 0 or not has_time():
            break
        looked_at, expired = looked_at + 1, expired + (one.after is None)
        if one.after is not None and one.is_changed:
            changes.append(one)
            room -= len(one.before.as_text()) + len(one.after.as_text())
    return Summary(looked_at, expired, tuple(changes), is_cut)
