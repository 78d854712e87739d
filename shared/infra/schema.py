"""Schemas: a folder of Alembic migrations, brought up to date while receivers go on writing. Knows no table of ours.

Alembic is imported only by a process that migrates: it costs half a second and 25 MB.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.url import URL

from shared.errors import SchemaError
from shared.infra.database import reading

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig
    from alembic.operations import Operations

_REVISIONS = re.compile(r'^(revision|down_revision)\b[^=\n]*= "(\w+)"', re.MULTILINE)

# On PostgreSQL whoever waits for a table's lock makes everybody behind it wait as well.
_LOCK_WAIT = "500ms"
_LOCK_PAUSE_SECONDS = 1.0
_LOCK_TRIES = 120


@dataclass(frozen=True, slots=True)
class Schema:
    """A set of Alembic migrations and the table that records which of them ran."""

    folder: Path  # its `versions/` holds a file for each revision, in their order by name
    version_table: str
    remedy: str  # the command that migrates

    def upgrade(self, engine: Engine) -> str:
        """Migrate to the newest revision and return its name. Two at once are harmless: the second waits or finds it done.

        An empty database gets everything in one transaction. One that is in use gets a transaction for each migration, so that
        receivers write in between. Raises SchemaError when another program never lets go of a table, and when the database is
        at a revision that this program does not know.
        """
        prepare_file(engine.url)
        if self.current(engine) == self.head():
            return self.head()
        with engine.connect() as connection, _without_foreign_keys(connection), self._alone(connection):
            if self.current(engine) is None:
                with connection.begin():
                    self._run(connection, "head")
            elif engine.dialect.name == "postgresql":
                self._run_patiently(connection)
            else:
                while self._step(connection):
                    pass
        return self.head()

    def _step(self, connection: Connection) -> bool:
        """The next migration in a transaction of its own; False when there is none."""
        with connection.begin():
            if self._revision(connection) == self.head():
                return False
            self._run(connection, "+1")
            return True

    def _run_patiently(self, connection: Connection) -> None:
        """Give way whenever a table is in use, and try again: Alembic commits each migration (see `run_migrations`)."""
        for _ in range(_LOCK_TRIES):
            try:
                self._run(connection, "head", lock_wait=_LOCK_WAIT)
                return
            except sa.exc.OperationalError as problem:
                connection.rollback()
                if not isinstance(problem.orig, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
                    raise
            time.sleep(_LOCK_PAUSE_SECONDS)
        raise SchemaError("another program keeps a table locked: end its long transaction, then migrate again")

    def _run(self, connection: Connection, revision: str, *, lock_wait: str | None = None) -> None:
        from alembic import command
        from alembic.util import CommandError

        config = self._config()
        config.attributes.update(connection=connection, version_table=self.version_table, lock_wait=lock_wait)
        try:
            command.upgrade(config, revision)
        except CommandError as problem:
            raise SchemaError(f"it was migrated by another version of this program ({problem})") from problem

    @contextmanager
    def _alone(self, connection: Connection) -> Iterator[None]:
        """One migrates at a time. The lock is tried for, not waited for: an index that is built beside the writers waits for
        every statement that is under way. On SQLite a transaction is lock enough."""
        if connection.dialect.name != "postgresql":
            yield
            return
        key = {"name": self.version_table}
        while not connection.execute(sa.text("SELECT pg_try_advisory_lock(hashtext(:name))"), key).scalar_one():
            connection.commit()
            time.sleep(_LOCK_PAUSE_SECONDS)
        connection.commit()
        try:
            yield
        finally:
            connection.rollback()
            connection.execute(sa.text("RESET lock_timeout"))
            connection.execute(sa.text("SELECT pg_advisory_unlock(hashtext(:name))"), key)
            connection.commit()

    def head(self) -> str:
        """The newest revision that this program knows: the one that none comes after, whatever its number."""
        texts = (path.read_text(encoding="utf-8") for path in self.folder.glob("versions/[0-9]*.py"))
        found = [named for text in texts for named in _REVISIONS.findall(text)]
        (newest,) = {name for kind, name in found if kind == "revision"} - {name for kind, name in found if kind != "revision"}
        return str(newest)

    def current(self, engine: Engine) -> str | None:
        """The revision the database is at, None for an empty one. Does not create a missing SQLite file."""
        database = engine.url.database
        if engine.dialect.name == "sqlite" and database and not Path(database).exists():
            return None
        with reading(engine).begin() as connection:
            return self._revision(connection)

    def _revision(self, connection: Connection) -> str | None:
        if not sa.inspect(connection).has_table(self.version_table):
            return None
        query: sa.Select[Any] = sa.select(sa.column("version_num")).select_from(sa.table(self.version_table))
        revision: str | None = connection.scalar(query)
        return revision

    def check(self, engine: Engine) -> None:
        """Raise SchemaError unless the database is at this program's revision."""
        current, head = self.current(engine), self.head()
        if current != head:
            where = engine.url.render_as_string(hide_password=True)
            raise SchemaError(
                f"the schema of {where} is at {current or 'nothing'}, this program needs {head}: run `{self.remedy}`"
            )

    def _config(self) -> AlembicConfig:
        from alembic.config import Config as AlembicConfig

        config = AlembicConfig()
        config.set_main_option("script_location", str(self.folder))
        return config


@contextmanager
def _without_foreign_keys(connection: Connection) -> Iterator[None]:
    """SQLite rebuilds a table by dropping it, and a drop deletes the rows that refer to it. The setting is fixed once a
    transaction has begun (https://sqlite.org/lang_altertable.html, section 7)."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        yield
        return
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys=ON")


def prepare_file(url: URL) -> None:
    """Make a SQLite file and its folder, readable by their owner alone: they hold payloads."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def run_migrations(config: AlembicConfig, metadata: sa.MetaData) -> None:
    """All of an `env.py` of Alembic: migrate on the connection that `Schema.upgrade` opened. A transaction that is open there
    holds all of it; else each migration is one."""
    from alembic import context  # only importable as a live proxy while a migration runs

    connection: Connection = config.attributes["connection"]
    if (lock_wait := config.attributes.get("lock_wait")) is not None:
        connection.execute(sa.text(f"SET lock_timeout = '{lock_wait}'"))
        connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=config.attributes["version_table"],
        render_as_batch=True,
        transactional_ddl=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def create_index(
    op: Operations | Any, name: str, table: str, columns: Sequence[Any], *, where: str | None = None, unique: bool = False
) -> None:
    """An index on a large table, for migrations: on a PostgreSQL that is in use it is built beside the writers (CONCURRENTLY).

    Commits what the migration has done so far, so call it last. What an interrupted attempt left is replaced.
    """
    condition = None if where is None else sa.text(where)
    options: dict[str, Any] = {"unique": unique, "sqlite_where": condition, "postgresql_where": condition}
    context = op.get_context()
    if context.dialect.name != "postgresql" or context._in_external_transaction:
        op.create_index(name, table, list(columns), **options)
        return
    with context.autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for transactions that are under way, and holds up nobody
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, list(columns), postgresql_concurrently=True, **options)
        op.execute(f"SET lock_timeout = '{_LOCK_WAIT}'")
