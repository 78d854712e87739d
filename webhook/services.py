"""What dashboard, API, command line and operations work with; the web process and each command build it once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.engine import Engine

from shared.config.settings import Settings
from shared.domain.rules import Rules


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
