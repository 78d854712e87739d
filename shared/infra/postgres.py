"""PostgreSQL connections on which no wait is without an end, and which work through a pooler. Knows no table of ours.

The kernel's keep-alives find a peer that is gone (a failover, a NAT that forgot the flow). A pooler or a proxy whose own server
is gone still acknowledges packets, so each reply has a limit of its own as well.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from psycopg.pq.abc import PGconn
from sqlalchemy.engine.url import URL

from shared.infra import logs
from shared.infra.patience import patience

REPLY_SECONDS = 30.0  # a statement that takes longer is given up with its connection; migrations have no limit
# Of the processes that nobody looks at: their statements are short, and within this time they notice a proxy that went silent.
BACKGROUND_REPLY_SECONDS = 12.0
CONNECT_SECONDS = 5
PREPARE = "prepare"  # in the query of a URL, `off`: no prepared statement, as poolers in transaction mode need it
# A peer that acknowledges nothing is given up after ten seconds. PostgreSQL documents the settings at
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_KERNEL = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
    "client_encoding": "utf8",
}
_INTERVAL = 0.1
_RV = TypeVar("_RV")

logger = logs.get(__name__)
_noticed = threading.Event()
_HOSTS = re.compile(r"(?P<start>\w[^:]*://(?:[^/?#]*@)?)(?P<hosts>[^/?#@]*)(?P<rest>.*)", re.DOTALL)


class Connection(psycopg.Connection[Any]):
    """Gives up, and closes itself, when a reply does not come in time (see `shared/infra/patience.py`)."""

    reply_seconds = REPLY_SECONDS

    def wait(self, gen: PQGen[_RV], interval: float = _INTERVAL, timeout: float | None = None) -> _RV:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        limit = patience(self.reply_seconds)
        try:
            return super().wait(gen, interval, limit)
        except _WaitTimeout:
            raise _gave_up(self.pgconn, limit) from None


class AsyncConnection(psycopg.AsyncConnection[Any]):
    """The same for an event loop; whoever opens it sets `reply_seconds` before each statement.

    psycopg would first ask the server to cancel a statement that is given up, for ten seconds more.
    """

    reply_seconds = REPLY_SECONDS

    async def wait(self, gen: PQGen[_RV], interval: float = _INTERVAL, timeout: float | None = None) -> _RV:
        limit = self.reply_seconds if timeout is None else timeout
        try:
            return await super().wait(gen, interval, limit)
        except _WaitTimeout:
            raise _gave_up(self.pgconn, limit) from None


def _gave_up(pgconn: PGconn, seconds: float | None) -> psycopg.OperationalError:
    pgconn.finish()
    return psycopg.OperationalError(f"the database did not answer within {seconds or 0:.0f} s")


def spell_hosts(url: str) -> str:
    """Hosts as SQLAlchemy reads them, in the query.

    They are several (`//one:5432,two:5432/name`), or a socket's folder (`//%2Frun%2Fpg/name`).
    """
    parts = _HOSTS.fullmatch(url)
    if parts is None or not ("," in parts["hosts"] or "%" in parts["hosts"]):
        return url
    base, _, query = parts["rest"].partition("?")
    hosts = [unquote(host) for host in parts["hosts"].split(",")]
    if len(hosts) == 1:  # the folder of a socket; its port is part of the socket's name
        path, _, port = hosts[0].rpartition(":") if re.search(r":\d+$", hosts[0]) else (hosts[0], "", "")
        added = [f"host={quote(path, safe='')}", *([f"port={port}"] if port else [])]
    else:
        added = [f"host={quote(host, safe='')}" for host in hosts]
    return f"{parts['start']}{base}?{'&'.join([*added, *([query] if query else [])])}"


def connect_arguments(url: URL, name: str) -> dict[str, Any]:
    """What every connection is opened with, besides what the URL says; `name` is shown in `pg_stat_activity`."""
    arguments = {**_KERNEL, "application_name": name}
    if not is_preparing(url):
        arguments["prepare_threshold"] = None
    return {key: value for key, value in arguments.items() if key not in url.query}


def is_preparing(url: URL) -> bool:
    """Whether statements may be prepared. Raises ValueError when the URL's `prepare` is neither `on` nor `off`."""
    value = url.query.get(PREPARE, "on")
    if value not in ("on", "off"):
        raise ValueError(f"has {PREPARE}={value!r}: it must be on or off")
    return value == "on"


def open_connection(arguments: Sequence[Any], keywords: Mapping[str, Any], reply_seconds: float) -> Connection:
    """What SQLAlchemy would open, with our limits. Raises psycopg.Error."""
    connection = Connection.connect(*arguments, **without_ours(keywords))
    connection.reply_seconds = reply_seconds
    return connection


def without_ours(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """What psycopg knows of a URL's query."""
    return {name: value for name, value in keywords.items() if name != PREPARE}


# The server tells these at sign-in, so that looking costs nothing. psycopg reads times in ISO style alone.
_WANTED = {"DateStyle": "ISO", "TimeZone": "UTC", "standard_conforming_strings": "on"}
_PID = "SELECT pg_backend_pid()"


def settings_to_change(pgconn: PGconn) -> Mapping[str, str]:
    """{setting: value} of the session that are not as our statements need them. Poolers carry all of them along."""

    def is_right(name: str, wanted: str) -> bool:
        value = (pgconn.parameter_status(name.encode()) or b"").decode()
        return value.startswith(wanted) or (name == "TimeZone" and value == "Etc/UTC")

    return {name: wanted for name, wanted in _WANTED.items() if not is_right(name, wanted)}


def prepare_session(connection: psycopg.Connection[Any]) -> None:
    """Make a new connection ours: its settings, and no prepared statement behind a pooler. Raises psycopg.Error."""
    was, connection.autocommit = connection.autocommit, True
    for name, value in settings_to_change(connection.pgconn).items():
        connection.execute(f"SET {name} = '{value}'", prepare=False)
    if connection.prepare_threshold is not None:
        row = connection.execute(_PID, prepare=False).fetchone()
        if row is None or _has_other_server(connection.pgconn, int(row[0])):
            connection.prepare_threshold = None
    connection.autocommit = was


async def prepare_async_session(connection: psycopg.AsyncConnection[Any]) -> None:
    """The same; the connection commits each statement."""
    for name, value in settings_to_change(connection.pgconn).items():
        await connection.execute(f"SET {name} = '{value}'", prepare=False)
    if connection.prepare_threshold is not None:
        row = await (await connection.execute(_PID, prepare=False)).fetchone()
        if row is None or _has_other_server(connection.pgconn, int(row[0])):
            connection.prepare_threshold = None


def _has_other_server(pgconn: PGconn, pid: int) -> bool:
    """Whether another process serves us than the one that signed us in: `pid` is that of the process behind. Says so once."""
    if pid == pgconn.backend_pid:
        return False
    if not _noticed.is_set():
        _noticed.set()
        logger.info("database.pooled", detail="a pooler stands before the database: statements are not prepared")
    return True


def is_pooled(connection: object) -> bool:
    """Whether a pooler stands before a connection that `prepare_session` made ours, or the URL says so."""
    return isinstance(connection, psycopg.Connection) and connection.prepare_threshold is None
