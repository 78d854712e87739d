"""Stores deliveries that arrive together in one transaction: one sync of the disk and a few statements for all of them.

Runs in the event loop, without a thread of its own: on two cores, handing work between threads costs more than the work.
Each answer waits for its commit; while one group commits, the next one gathers.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.engine import Engine
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.broker import Notifier
from shared.errors import CannotStore
from shared.infra.patience import waiting_at_most
from shared.ledger import deliveries
from shared.ledger.bulk_insert import NotAllNew
from shared.ledger.deliveries import Arrival, Receipt
from webhook.intake.store_health import StoreHealth

LARGEST_GROUP = 64
LARGEST_GROUP_BYTES = 4 * 1024 * 1024  # of bodies: SQLite writes them in the loop's own thread
_GATHER_SECONDS = 0.001
STORE_SECONDS = 7.5  # from arrival to "cannot store": GitHub waits ten seconds for the answer
LEAST_SECONDS = 1.0  # for those that waited behind a group that took all of its time
_OUTAGES = (OperationalError, InterfaceError, InternalError, PoolTimeout)  # InternalError: a database that only reads
Outcome = Receipt | SQLAlchemyError | CannotStore


class Store(Protocol):
    """Commits a group of new deliveries, or none of it, within `seconds`. Raises NotAllNew, and CannotStore once it has left
    the connection that failed."""

    async def __call__(self, arrivals: Sequence[Arrival], seconds: float) -> list[Receipt]: ...

    async def close(self) -> None: ...


class GroupCommit:
    """One event loop's way into the ledger. `engine` is for what is not plainly new: redeliveries, and jobs that are there."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        notifier: Notifier,
        after_each: Callable[[], Awaitable[object]] | None = None,
        health: StoreHealth | None = None,
    ) -> None:
        self._store = store
        self._engine = engine
        self._knocker = notifier
        self._health = health or StoreHealth()
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

    def store_alone(self, arrival: Arrival) -> Receipt:
        """Store one in the caller's own thread. Raises SQLAlchemyError."""
        try:
            receipt = accept_patiently(self._engine, arrival, STORE_SECONDS)
        except SQLAlchemyError as problem:
            if is_outage(problem):
                self._health.note(is_stored=False)
            raise
        self._health.note(is_stored=True)
        return receipt

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
        age = (datetime.now(UTC) - arrivals[0].now).total_seconds()
        seconds = max(LEAST_SECONDS, STORE_SECONDS - max(0.0, age))
        try:
            outcomes = await self._store_within(arrivals, seconds)
        except Exception as problem:  # no thread could be started, for one
            outcomes = [_told(problem)] * len(arrivals)
        if any(map(is_outage, outcomes)):
            self._health.note(is_stored=False)
        elif any(isinstance(outcome, Receipt) for outcome in outcomes):
            self._health.note(is_stored=True)
        return outcomes

    async def _store_within(self, arrivals: list[Arrival], seconds: float) -> Sequence[Outcome]:
        give_up = time.monotonic() + seconds
        try:
            try:
                return await self._store(arrivals, seconds / 2)
            except CannotStore:  # a connection that rested may be dead: a fresh one
                return await self._store(arrivals, give_up - time.monotonic())
        except CannotStore as problem:
            return [CannotStore(str(problem))] * len(arrivals)
        except NotAllNew:
            return await asyncio.to_thread(self._commit_singly, arrivals, give_up)

    def _commit_singly(self, arrivals: list[Arrival], give_up: float) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for arrival in arrivals:
            try:
                outcomes.append(accept_patiently(self._engine, arrival, give_up - time.monotonic()))
            except _OUTAGES as problem:  # it would make each of the rest wait as long
                return outcomes + [_told(problem)] * (len(arrivals) - len(outcomes))
            except SQLAlchemyError as problem:
                outcomes.append(SQLAlchemyError(_in_words(problem)))
            except Exception as problem:
                outcomes.append(_told(problem))
        return outcomes


def accept_patiently(engine: Engine, arrival: Arrival, seconds: float) -> Receipt:
    """Store one delivery in a thread of its own; once more on a fresh connection where one that rested was dead."""
    give_up = time.monotonic() + seconds
    try:
        return _accept(engine, arrival, seconds / 2)
    except PoolTimeout:  # it has waited long enough
        raise
    except _OUTAGES:
        pass
    return _accept(engine, arrival, give_up - time.monotonic())


def _accept(engine: Engine, arrival: Arrival, seconds: float) -> Receipt:
    with waiting_at_most(max(LEAST_SECONDS, seconds)), engine.begin() as connection:
        return deliveries.accept(connection, arrival)


def is_outage(outcome: object) -> bool:
    """Whether it says that nothing can be stored now, rather than that this one delivery cannot."""
    return isinstance(outcome, (CannotStore, *_OUTAGES))


def _told(problem: Exception) -> CannotStore:
    """A fault of ours, or of the machine."""
    return CannotStore(_in_words(problem))


def _in_words(problem: Exception) -> str:
    """What is kept of an exception: itself it holds the bodies, by its frames and parameters."""
    return f"{type(problem).__name__}: {getattr(problem, 'orig', None) or problem}"


def _largest_group(sizes: Sequence[int]) -> int:
    """How many from the start are not too much together; one at least."""
    together = itertools.accumulate(sizes)
    return max(1, sum(1 for size in together if size <= LARGEST_GROUP_BYTES))
