"""Chooses the jobs of one sweep: each target within its pace, each repository in its turn, a paused target only its probe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.engine import Engine

from shared.domain.target_health import Health, TargetState
from shared.infra.database import reading
from shared.ledger import due_jobs, target_states
from shared.ledger.job_transitions import KNOCK_AGAIN_AFTER

PACE_AHEAD_SECONDS = 2.0  # of each target's pace that one sweep may feed


class Feeder:
    """Remembers only where it stopped looking in each target's list of repositories."""

    def __init__(self, engine: Engine, paces: Mapping[str, float]) -> None:
        self._engine = engine
        self._paces = paces
        self._cursors: dict[str, str] = {}

    def use(self, paces: Mapping[str, float]) -> None:
        """Other targets, or other paces, from the next sweep on."""
        self._paces = paces

    def waiting(self) -> list[str]:
        """The targets that any job waits for."""
        with reading(self._engine).begin() as connection:
            return due_jobs.targets(connection)

    def choose(self, targets: list[str], *, now: datetime, until: datetime, room: int) -> list[str]:
        """Ids of at most `room` jobs to knock for. `until`: jobs whose message has had no effect by then count as due."""
        if room <= 0:
            return []
        with reading(self._engine).begin() as connection:
            healths = target_states.find(connection)
        lists: list[list[str]] = []
        for target in targets:
            health = healths.get(target, Health())
            if health.is_careful:
                # Its message may have been dropped while another job ran, so the last one is no reason to wait.
                with reading(self._engine).begin() as connection:
                    chosen = due_jobs.safest(connection, target, now=now, until=now + KNOCK_AGAIN_AFTER)
                lists.append([chosen] if chosen is not None else [])
            elif health.state is TargetState.OK:
                lists.append(self._of_target(target, now, until, min(room, self._limit(target))))
            elif (probe := self._probe(target, health, now, until)) is not None:
                lists.append([probe])
        return due_jobs.interleave(lists, room)

    def _limit(self, target: str) -> int:
        """Of a target that is not configured one after another: each job only says that it waits for the target."""
        pace = self._paces.get(target)
        return 1 if pace is None else max(1, math.ceil(pace * PACE_AHEAD_SECONDS))

    def _of_target(self, target: str, now: datetime, until: datetime, limit: int) -> list[str]:
        with reading(self._engine).begin() as connection:
            names, self._cursors[target] = due_jobs.repositories(
                connection, target, after=self._cursors.get(target, ""), until=until
            )
            each = limit if len(names) == 1 else math.ceil(2 * limit / max(1, len(names)))
            return due_jobs.interleave(
                [
                    due_jobs.of_repository(connection, target, name, now=now, until=until, limit=min(each, limit))
                    for name in names
                ],
                limit,
            )

    def _probe(self, target: str, health: Health, now: datetime, until: datetime) -> str | None:
        """The one job that may knock at a target that is ill, if its moment has come."""
        if health.state is TargetState.PROBING and health.probe_job is not None:
            with self._engine.begin() as connection:
                if target_states.probe_stands(connection, target, health.probe_job, now=now):
                    is_due = due_jobs.is_due(connection, health.probe_job, now=now, until=until)
                    return health.probe_job if is_due else None
        elif health.paused_until is None or health.paused_until > now:
            return None
        # Its message may have been dropped while the target was paused, so the last knock is no reason to wait.
        oldest = self._of_target(target, now, now + KNOCK_AGAIN_AFTER, 1)
        if not oldest:
            return None
        with self._engine.begin() as connection:
            return oldest[0] if target_states.elect_probe(connection, target, oldest[0], now=now) else None
