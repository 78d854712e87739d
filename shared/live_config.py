"""A thread beside each process's work: puts changed rules and secrets in force, and records which file that is."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from shared.config.changed_files import LOOK_SECONDS, ChangedFiles, Config
from shared.domain.ids import new_id
from shared.infra import logs
from shared.ledger import processes

Kind = Literal["web", "worker", "sweeper"]

logger = logs.get(__name__)


class LiveConfig:
    """`start` begins looking, `stop` ends it. `apply` is called in the thread, with each new reading that is whole and valid.

    `apply` raises SettingsError to refuse it; what was in force then stays.
    """

    def __init__(self, kind: Kind, config: Config, engine: Engine, apply: Callable[[Config], None]) -> None:
        self.files = ChangedFiles(config, self._apply)
        self._kind = kind
        self._engine = engine
        self._put_in_force = apply
        self._id = new_id(datetime.now(UTC))
        self._said_at = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="config", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Also takes this process out of the list."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
            with suppress(SQLAlchemyError), self._engine.begin() as connection:
                processes.forget(connection, self._id)

    def step(self) -> None:
        """One look; what it found is logged and, like a sign of life now and then, recorded."""
        if self.files.look():
            if self.files.state.errors:
                logger.error("config.refused", errors=list(self.files.state.errors), in_force=self.files.state.digest)
            self._said_at = float("-inf")
        if time.monotonic() >= self._said_at + processes.SEEN_EVERY.total_seconds():
            self._say()

    def _apply(self, config: Config) -> None:
        logs.hide(config.settings.every_secret(config.rules.secret_names))
        self._put_in_force(config)
        logger.info("config.changed", digest=config.digest, rules=len(config.rules.rules), targets=sorted(config.rules.targets))

    def _say(self) -> None:
        state = self.files.state
        with self._engine.begin() as connection:
            processes.note(
                connection,
                self._id,
                kind=self._kind,
                host=socket.gethostname(),
                pid=os.getpid(),
                digest=state.digest,
                errors=state.errors,
                now=datetime.now(UTC),
            )
        self._said_at = time.monotonic()

    def _run(self) -> None:
        is_failing = False
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.step()
                is_failing = False
            except Exception as problem:  # the database is away for a moment: the next look tries again
                if not is_failing:
                    logger.warning("config.not_recorded", error=type(problem).__name__)
                is_failing = True
