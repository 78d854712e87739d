"""Engines: SQLite (WAL, full sync, one writer at a time) and PostgreSQL from a URL. Knows no table of ours."""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from shared.infra import postgres
from shared.infra.json_codec import read_json, write_json
from shared.infra.patience import patience, waiting_at_most

BUSY_SECONDS = 10  # how long a writer waits for SQLite's one write lock before "cannot store"
LOOK_AGAIN_SECONDS = 0.001
CONNECTIONS = 16  # of a process at most, unless it says otherwise
_KEPT_CONNECTIONS = 8  # of them stay open
_POOL_SECONDS = 5  # how long a thread waits for one of them
_PING_SECONDS = 2
_FRESH_SECONDS = 0.2


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """Aware UTC in and out; TIMESTAMPTZ on PostgreSQL, sortable text on SQLite."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time reached the database")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class PackedJson(sa.types.TypeDecorator[Any]):
    """JSON packed by zlib, at its fastest: texts shrink to a half or a third all the same."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        return None if value is None else zlib.compress(write_json(value).encode(), 1)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:
        return None if value is None else read_json(zlib.decompress(value))


def normalise_url(url: str) -> URL:
    """`postgres://` (Heroku's spelling) and `postgresql://` mean psycopg 3. Raises ValueError for anything unusable."""
    try:
        parsed = make_url(postgres.spell_hosts(url) if url.startswith("postgres") else url)
    except (sa.exc.ArgumentError, ValueError):  # ValueError: a port that is no number
        raise ValueError("is not a database URL") from None
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        postgres.is_preparing(parsed)
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        if parsed.database in (None, "", ":memory:"):
            raise ValueError("must name a file: several processes share the database")
        return parsed
    raise ValueError("must begin with sqlite:/// or postgresql://")


def make_engine(
    url: str,
    name: str = "tagship",
    *,
    connections: int = CONNECTIONS,
    reply_seconds: float = postgres.REPLY_SECONDS,
    busy_seconds: float = BUSY_SECONDS,
) -> Engine:
    """An engine whose transactions write: SQLite begins IMMEDIATE, since a read lock cannot be upgraded under load.

    `name`: of this program, for who looks at the database. `connections`: how many it opens at most.
    `reply_seconds`: how long a statement may take on PostgreSQL.
    `busy_seconds`: how long SQLite itself waits, and blocks, for another writer.
    """
    parsed = normalise_url(url)
    kept = min(connections, _KEPT_CONNECTIONS)
    sizes = {"pool_size": kept, "max_overflow": connections - kept, "pool_timeout": _POOL_SECONDS}
    if parsed.get_backend_name() == "postgresql":
        engine = sa.create_engine(
            parsed,
            **sizes,
            pool_use_lifo=True,  # the others may rest, and be asked when they are needed whether they still live
            connect_args=postgres.connect_arguments(parsed, name),
            isolation_level="READ COMMITTED",  # our statements are made for it, whatever the database's default
            use_native_hstore=False,
            json_serializer=write_json,
            json_deserializer=read_json,
        )
        sa.event.listen(engine, "do_connect", partial(_connect, reply_seconds))
        sa.event.listen(engine, "connect", _prepare_postgres)
        sa.event.listen(engine, "checkin", _note_use)
        sa.event.listen(engine, "checkout", partial(_ping_if_idle, engine.dialect))
        sa.event.listen(engine, "handle_error", _leave_demoted)
        return engine
    engine = sa.create_engine(
        parsed,
        **sizes,
        connect_args={"timeout": busy_seconds},
        json_serializer=write_json,
        json_deserializer=read_json,
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def prepare_file(url: URL) -> None:
    """Make a SQLite file and its folder, readable by their owner alone: they hold payloads."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def reading(engine: Engine) -> Engine:
    """The same pool for transactions that only read: on SQLite they take no write lock and queue behind nobody; on PostgreSQL
    each statement stands for itself, as it does at READ COMMITTED, without a BEGIN and a COMMIT around it."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="AUTOCOMMIT")
    return engine.execution_options(reads_only=True)


def _connect(
    reply_seconds: float, _: Dialect, __: ConnectionPoolEntry, arguments: list[Any], keywords: dict[str, Any]
) -> postgres.Connection:
    return postgres.open_connection(arguments, keywords, reply_seconds)


def _prepare_postgres(connection: Any, _: object) -> None:
    postgres.prepare_session(connection)


def _leave_demoted(context: sa.engine.ExceptionContext) -> None:
    """After a failover the server that we are connected to may live on, and only read."""
    if isinstance(context.original_exception, psycopg.errors.ReadOnlySqlTransaction):
        context.is_disconnect = True


def _note_use(_: object, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _ping_if_idle(
    dialect: Dialect, connection: DBAPIConnection, record: ConnectionPoolEntry, proxy: PoolProxiedConnection
) -> None:
    """A server that was started anew has closed what the pool holds. No server is started in a fifth of a second: a worker that
    is busy need not ask five times a job."""
    used_at = record.info.get("used_at")
    if used_at is None or time.monotonic() - used_at < _FRESH_SECONDS:
        return
    try:
        with waiting_at_most(_PING_SECONDS):
            dialect.do_ping(connection)
    except psycopg.Error as problem:
        raise sa.exc.InvalidatePoolError from problem


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # we send BEGIN ourselves
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # in WAL, NORMAL does not sync at commit: a 202 could be forgotten by a power cut
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("reads_only", False):
        connection.exec_driver_sql("BEGIN")
        return
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101
    limit = patience(BUSY_SECONDS)
    give_up = time.monotonic() + (BUSY_SECONDS if limit is None else limit)
    # SQLite's own waiting sleeps longer and longer, up to a tenth of a second, while writers of a few milliseconds pass by.
    (kept,) = raw.execute("PRAGMA busy_timeout").fetchone()
    raw.execute("PRAGMA busy_timeout=0")
    try:
        while not begin_at_once(raw):
            if time.monotonic() > give_up:
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # raises, as SQLAlchemy does
                return
            time.sleep(LOOK_AGAIN_SECONDS)
    except sqlite3.Error as problem:  # a disk that fails: told as SQLAlchemy tells it everywhere else
        raise sa.exc.OperationalError("BEGIN IMMEDIATE", {}, problem) from problem
    finally:
        raw.execute(f"PRAGMA busy_timeout={kept}")


def begin_at_once(raw: sqlite3.Connection) -> bool:
    """Begin a transaction that writes; False when another writer has the lock. Raises sqlite3.Error."""
    try:
        raw.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as problem:
        if problem.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True


def upsert(connection: Connection, table: sa.Table) -> Any:
    """An INSERT that knows ON CONFLICT in the connection's dialect."""
    return upsert_for(connection.dialect.name, table)


def upsert_for(dialect: str, table: sa.Table) -> Any:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
