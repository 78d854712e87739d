"""How a group of new deliveries is committed from the event loop: on SQLite at once, on PostgreSQL while the loop goes on."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.errors import CannotStore
from shared.infra import logs, postgres
from shared.infra.database import LOOK_AGAIN_SECONDS, begin_at_once, make_engine
from shared.ledger import bulk_insert
from shared.ledger.deliveries import Arrival, Receipt

_CONNECT_SECONDS = 3
_NAME = "tagship-web"

logger = logs.get(__name__)


def open_store(engine: Engine) -> SqliteStore | PostgresStore:
    return PostgresStore(engine) if engine.dialect.name == "postgresql" else SqliteStore(engine)


class SqliteStore:
    """Writes in the loop's own thread, a few milliseconds at a time. It never waits there for another writer's lock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = make_engine(engine.url.render_as_string(hide_password=False), busy_seconds=0)
        self.connection: sqlite3.Connection | None = None

    async def __call__(self, arrivals: Sequence[Arrival], seconds: float) -> list[Receipt]:
        """Raises NotAllNew, CannotStore."""
        give_up = time.monotonic() + seconds
        try:
            while not self._begin():
                if time.monotonic() > give_up:
                    raise CannotStore("the database stayed locked by another writer")
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            return self._write(arrivals)
        except (sqlite3.Error, sa.exc.SQLAlchemyError) as problem:
            self.connection = None
            raise CannotStore(f"{type(problem).__name__}: {problem}") from problem

    async def close(self) -> None:
        self.connection = None
        self._engine.dispose()

    def _begin(self) -> bool:
        if self.connection is None:
            self.connection = self._engine.raw_connection().driver_connection
        assert self.connection is not None  # noqa: S101
        return begin_at_once(self.connection)

    def _write(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        assert self.connection is not None  # noqa: S101
        cursor = self.connection.cursor()
        try:
            last = cursor.execute(bulk_insert.LAST_SEQ).fetchone()[0]
            rows = bulk_insert.rows_of(arrivals, range(last + 1, last + 1 + len(arrivals)))
            check = bulk_insert.sqlite_check(rows)
            if check is not None and cursor.execute(*check).fetchone()[0]:
                raise sqlite3.IntegrityError("a job may be there under another key")
            for statement, values in bulk_insert.sqlite_statements(rows):
                cursor.executemany(statement, values)
            cursor.execute("COMMIT")
        except sqlite3.IntegrityError as problem:
            cursor.execute("ROLLBACK")
            raise bulk_insert.NotAllNew from problem
        except BaseException:
            if self.connection.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        return rows.receipts


class PostgresStore:
    """One connection, one round trip a group."""

    def __init__(self, engine: Engine) -> None:
        arguments, keywords = engine.dialect.create_connect_args(engine.url)
        self._conninfo = str(arguments[0]) if arguments else ""
        ours = {"connect_timeout": _CONNECT_SECONDS, "autocommit": True}
        self._keywords = {**keywords, **postgres.connect_arguments(engine.url, _NAME), **ours}
        self.connection: postgres.AsyncConnection | None = None

    async def __call__(self, arrivals: Sequence[Arrival], seconds: float) -> list[Receipt]:
        """Raises NotAllNew, CannotStore."""
        give_up = time.monotonic() + seconds
        try:
            connection = await self._open(seconds)
            connection.reply_seconds = max(0.1, give_up - time.monotonic())
            return await self._write(connection, arrivals)
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction, OSError) as problem:
            await self.close()
            raise CannotStore(f"{type(problem).__name__}: {problem}") from problem
        except psycopg.Error as problem:  # one of them is not new, or not fit: each alone will tell which
            if not isinstance(problem, psycopg.IntegrityError):
                logger.warning("group.unfit", error=type(problem).__name__, cause=str(problem), deliveries=len(arrivals))
            raise bulk_insert.NotAllNew from problem

    async def _open(self, seconds: float) -> postgres.AsyncConnection:
        if self.connection is None or self.connection.closed:
            async with asyncio.timeout(seconds):  # also the name of the host is looked up
                self.connection = await postgres.AsyncConnection.connect(
                    self._conninfo, **postgres.without_ours(self._keywords)
                )
            self.connection.reply_seconds = seconds
            await postgres.prepare_async_session(self.connection)
        return self.connection

    async def close(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            await connection.close()

    async def _write(self, connection: psycopg.AsyncConnection, arrivals: Sequence[Arrival]) -> list[Receipt]:
        rows = bulk_insert.rows_of(arrivals, range(1, len(arrivals) + 1))
        statement, parameters = bulk_insert.postgres_statement(rows)
        prepare = connection.prepare_threshold is not None
        await connection.execute(statement, parameters, prepare=prepare)  # one statement is one transaction
        return rows.receipts
