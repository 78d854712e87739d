"""Stores deliveries that arrive together in one transaction: one sync of the disk and a few statements for all of them.

Runs in the event loop, without a thread of its own: on two cores, handing work between threads costs more than the work.
Each answer waits for its commit; while one group commits, the next one gathers.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from sqlalchemy.engine import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.broker import Notifier
from shared.errors import CannotStore
from shared.ledger import deliveries
from shared.ledger.bulk_insert import NotAllNew
from shared.ledger.deliveries import Arrival, Receipt

LARGEST_GROUP = 64
LARGEST_GROUP_BYTES = 4 * 1024 * 1024  # of bodies: SQLite writes them in the loop's own thread
_GATHER_SECONDS = 0.001
Outcome = Receipt | CannotStore


class Store(Protocol):
    """Commits a group of new deliveries, or none of it. Raises NotAllNew, CannotStore."""

    async def __call__(self, arrivals: Sequence[Arrival]) -> list[Receipt]: ...

    async def close(self) -> None: ...


class GroupCommit:
    """One event loop's way into the ledger. `engine` is for what is not plainly new: redeliveries, and jobs that are there."""

    def __init__(
        self, store: Store, engine: Engine, notifier: Notifier, after_each: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        self._store = store
        self._engine = engine
        self._knocker = notifier
        self._after_each = after_each
        self._waiting: list[tuple[Arrival, asyncio.Future[Outcome]]] = []
        self._task: asyncio.Task[None] | None = None

    def submit(self, arrival: Arrival) -> asyncio.Future[Outcome]:
        """The outcome to come: a Receipt once it is committed, else what kept it from being stored."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self._waiting.append((arrival, future))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        return future

    async def close(self) -> None:
        """Store what waits, then close the store's connection."""
        if self._task is not None:
            await self._task
        await self._store.close()

    async def _run(self) -> None:
        last = 0
        while self._waiting:
            # Whoever is being read in this turn of the loop comes along; under load a little more is worth waiting for.
            await asyncio.sleep(_GATHER_SECONDS if last > 1 else 0)
            last = len(self._waiting)
            size = _largest_group([len(arrival.body) for arrival, _ in self._waiting[:LARGEST_GROUP]])
            group, self._waiting = self._waiting[:size], self._waiting[size:]
            outcomes = await self._commit([arrival for arrival, _ in group])
            self._knocker.notify(job for outcome in outcomes if isinstance(outcome, Receipt) for job in outcome.knock)
            for (_, future), outcome in zip(group, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)
            if self._after_each is not None:
                await self._after_each()

    async def _commit(self, arrivals: list[Arrival]) -> Sequence[Outcome]:
        """Raises nothing: whatever it is, it must not leave the senders waiting for ever."""
        try:
            return await self._store(arrivals)
        except CannotStore as problem:
            return [CannotStore(str(problem))] * len(arrivals)
        except NotAllNew:
            pass
        except Exception as problem:
            return [_told(problem)] * len(arrivals)
        try:
            return await asyncio.to_thread(self._commit_singly, arrivals)
        except Exception as problem:  # no thread could be started, for one
            return [_told(problem)] * len(arrivals)

    def _commit_singly(self, arrivals: list[Arrival]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for arrival in arrivals:
            try:
                with self._engine.begin() as connection:
                    outcomes.append(deliveries.accept(connection, arrival))
            except (OperationalError, InterfaceError, PoolTimeout) as problem:  # it would make each of the rest wait as long
                return outcomes + [_told(problem)] * (len(arrivals) - len(outcomes))
            except Exception as problem:
                outcomes.append(_told(problem))
        return outcomes


def _told(problem: Exception) -> CannotStore:
    """A fault of ours, or of the machine, in words: the exception itself holds the bodies, by its frames and parameters."""
    cause = getattr(problem, "orig", None) or problem
    return CannotStore(f"{type(problem).__name__}: {cause}")


def _largest_group(sizes: Sequence[int]) -> int:
    """How many from the start are not too much together; one at least."""
    together = itertools.accumulate(sizes)
    return max(1, sum(1 for size in together if size <= LARGEST_GROUP_BYTES))
