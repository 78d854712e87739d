"""One line when something begins to fail and one when it works again, instead of a trace for each try."""

from __future__ import annotations

import threading

from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.infra import logs

_AWAY = (OperationalError, InterfaceError, InternalError, PoolTimeout)

logger = logs.get(__name__)
_lock = threading.Lock()
_without_database: set[str] = set()  # the works whose last try failed for want of it


def is_database_away(problem: BaseException) -> bool:
    """Whether it says that the database cannot be used now, rather than that this one statement cannot."""
    return isinstance(problem, _AWAY)


def words_of(problem: BaseException) -> str:
    """The first line of what the database said, without the statement; at most 300 characters."""
    cause = str(problem.orig) if isinstance(problem, DBAPIError) else str(problem)
    return (cause.strip().splitlines() or [type(problem).__name__])[0][:300]


class Outage:
    """Of one of this process's works, by its name. `failed` and `worked` may come from any thread.

    That the database is away is one outage, however many works notice; it is over when all that failed have worked again.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._cause: str | None = None

    def failed(self, problem: Exception) -> None:
        """Say so, unless the same was said before."""
        if is_database_away(problem):
            with _lock:
                is_new = not _without_database
                _without_database.add(self._name)
            if is_new:
                logger.warning("database.away", error=type(problem).__name__, cause=words_of(problem))
            return
        cause = f"{type(problem).__name__}: {words_of(problem)}"
        if cause != self._cause:
            self._cause = cause
            logger.error("work.failed", work=self._name, exc_info=problem)

    def worked(self) -> None:
        """Call it after each success: it costs nothing while nothing fails."""
        if self._cause is not None:
            self._cause = None
            logger.info("work.back", work=self._name)
        if self._name in _without_database:
            with _lock:
                _without_database.discard(self._name)
                is_over = not _without_database
            if is_over:
                logger.info("database.back")
