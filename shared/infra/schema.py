"""Schemas: a folder of Alembic migrations, brought up to date while receivers go on writing. Knows no table of ours.

Alembic is imported only by a process that migrates: it costs half a second and 25 MB.
"""

from __future__ import annotations

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

from shared.errors import SchemaError
from shared.infra import logs
from shared.infra.database import prepare_file, reading
from shared.infra.patience import waiting_at_most
from shared.infra.postgres import is_pooled

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig
    from alembic.operations import Operations

_REVISIONS = re.compile(r'^(revision|down_revision)\b[^=\n]*= "(\w+)"', re.MULTILINE)
_COMPATIBLE = re.compile(r"^compatible = True\b", re.MULTILINE)

# On PostgreSQL whoever waits for a table's lock makes everybody behind it wait as well.
_LOCK_WAIT = "500ms"
_LOCK_PAUSE_SECONDS = 1.0
_LOCK_TRIES = 120
_LOCK = "SELECT pg_try_advisory_{}lock(hashtext(:name))"

logger = logs.get(__name__)
_said: set[str] = set()  # the version tables of which this process said that they are newer


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
        at a revision that this program neither knows nor can use.
        """
        prepare_file(engine.url)
        current = self.current(engine)
        if current is not None and current not in self.revisions():
            self.check(engine)
            return current
        self._check_encoding(engine)
        self._note_needs(engine)
        if current == self.head():
            return current
        with (
            waiting_at_most(None),
            engine.connect() as connection,
            _without_foreign_keys(connection),
            self._alone(connection),
        ):
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
        every statement that is under way. On SQLite a transaction is lock enough.

        Behind a pooler a session's lock would stay with a server connection that others get next: there a transaction of a
        second connection holds it.
        """
        if connection.dialect.name != "postgresql":
            yield
            return
        name = {"name": self.version_table}
        if is_pooled(connection.connection.driver_connection):
            with connection.engine.connect() as beside:
                while not beside.execute(sa.text(_LOCK.format("xact_")), name).scalar_one():
                    beside.rollback()
                    time.sleep(_LOCK_PAUSE_SECONDS)
                yield
            return
        while not connection.execute(sa.text(_LOCK.format("")), name).scalar_one():
            connection.commit()
            time.sleep(_LOCK_PAUSE_SECONDS)
        connection.commit()
        try:
            yield
        finally:
            connection.rollback()
            connection.execute(sa.text("SELECT pg_advisory_unlock(hashtext(:name))"), name)
            connection.commit()

    def revisions(self) -> dict[str, bool]:
        """The revisions that this program knows, in their order: {name: whether a program that does not know it works on}.
        A migration says so with the line `compatible = True`."""
        after: dict[str | None, tuple[str, bool]] = {}
        for path in self.folder.glob("versions/[0-9]*.py"):
            text = path.read_text(encoding="utf-8")
            named = dict(_REVISIONS.findall(text))
            after[named.get("down_revision")] = (named["revision"], _COMPATIBLE.search(text) is not None)
        found: dict[str, bool] = {}
        following = after.get(None)
        while following is not None:
            name, is_compatible = following
            found[name] = is_compatible
            following = after.get(name)
        return found

    def needs(self) -> str:
        """The revision that a program must know at least to use this program's schema."""
        return [name for name, is_compatible in self.revisions().items() if not is_compatible][-1]

    def _note_needs(self, engine: Engine) -> None:
        """Leave it in the database for programs that do not know our migrations, before these run."""
        with engine.begin() as connection:
            table = sa.table(self._needs_table, sa.column("revision"))
            connection.execute(sa.text(f"CREATE TABLE IF NOT EXISTS {self._needs_table} (revision VARCHAR(32) PRIMARY KEY)"))
            if connection.execute(sa.select(table.c.revision)).scalars().all() != [self.needs()]:
                connection.execute(table.delete())
                connection.execute(table.insert().values(revision=self.needs()))

    @property
    def _needs_table(self) -> str:
        return f"{self.version_table}_needs"

    def _check_encoding(self, engine: Engine) -> None:
        if engine.dialect.name != "postgresql":
            return
        with reading(engine).begin() as connection:
            encoding = connection.execute(sa.text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":
            raise SchemaError(
                f"the database's encoding is {encoding}, which cannot hold every text: create it with ENCODING 'UTF8'"
            )

    def head(self) -> str:
        """The newest revision that this program knows: the one that none comes after, whatever its number."""
        return list(self.revisions())[-1]

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
        """Raise SchemaError unless this program can use the database: it is at our revision, or at a newer compatible one."""
        current, head = self.current(engine), self.head()
        if current == head:
            return
        if current is None or current in self.revisions():
            raise SchemaError(
                f"the database's schema is at {current or 'nothing'}, this program needs {head}: run `{self.remedy}`"
            )
        needs = self._needs(engine)
        if needs not in self.revisions():
            raise SchemaError(
                f"the database's schema is at {current}, for programs that know {needs or current}; this program knows {head}:"
                " start the newer program"
            )
        if self.version_table not in _said:
            _said.add(self.version_table)
            logger.info("schema.newer", schema=current, program=head, detail="a newer program migrated; this one works on")

    def _needs(self, engine: Engine) -> str | None:
        with reading(engine).begin() as connection:
            if not sa.inspect(connection).has_table(self._needs_table):
                return None
            table = sa.table(self._needs_table, sa.column("revision"))
            needs: str | None = connection.scalar(sa.select(table.c.revision))
            return needs

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


def run_migrations(config: AlembicConfig, metadata: sa.MetaData) -> None:
    """All of an `env.py` of Alembic: migrate on the connection that `Schema.upgrade` opened. A transaction that is open there
    holds all of it; else each migration is one."""
    from alembic import context  # only importable as a live proxy while a migration runs

    connection: Connection = config.attributes["connection"]
    if (lock_wait := config.attributes.get("lock_wait")) is not None:
        sa.event.listen(connection, "begin", lambda begun: _limit_lock_wait(begun, lock_wait))
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


def _limit_lock_wait(connection: Connection, seconds: str) -> None:
    """For this transaction alone: behind a pooler others get the session next."""
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{seconds}'")


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
    with context.autocommit_block():  # without a limit: it waits for transactions under way, and holds up nobody
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, list(columns), postgresql_concurrently=True, **options)
