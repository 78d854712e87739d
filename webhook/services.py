"""What dashboard, API, command line and operations work with; the web process and each command build it once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy.engine import Engine

from shared.config.settings import Settings
from shared.domain.rules import Rules

_UNHEARD = timedelta(seconds=2)  # a worker begins a job within a fraction of a second, when it is told of it


class Notifier(Protocol):
    """Tells the workers that jobs may be due; a lost notification is made good by the sweeper."""

    def notify(self, job_ids: Iterable[str]) -> None: ...


class LeaveToSweeper:
    """For the command line, which works without a broker: the sweeper finds what is due within a second."""

    def notify(self, job_ids: Iterable[str]) -> None:
        del job_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    settings: Settings
    rules: Rules
    engine: Engine
    notifier: Notifier
    is_broker_down: Callable[[], bool] = lambda: False

    def waits_for_broker(self, due_at: datetime | None) -> bool:
        """Whether a job that is due since `due_at` has not begun because nobody can be told of it."""
        return due_at is not None and due_at < datetime.now(UTC) - _UNHEARD and self.is_broker_down()
