"""A ledger that is in use is migrated beside its writers, one migration a transaction."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Engine

from shared.infra.database import make_engine
from shared.infra.schema import Schema
from shared.ledger.tables import SCHEMA, metadata

_MIGRATION = """
import sqlalchemy as sa
from alembic import op

from shared.infra.schema import create_index

revision = "{revision}"
down_revision = {before}


def upgrade() -> None:
    {body}
"""


@pytest.fixture
def empty(database_url: str) -> Iterator[Engine]:
    """A database without a table; on PostgreSQL one of its own."""
    made = make_engine(database_url)
    if made.dialect.name != "postgresql":
        yield made
        made.dispose()
        return
    with made.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("DROP DATABASE IF EXISTS migrated WITH (FORCE)"))
        connection.execute(sa.text("CREATE DATABASE migrated"))
    own = make_engine(made.url.set(database="migrated").render_as_string(hide_password=False))
    yield own
    own.dispose()
    made.dispose()


def migrate_to(schema: Schema, engine: Engine, revision: str) -> None:
    """As an earlier version of the program did."""
    with engine.begin() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        config.attributes["version_table"] = schema.version_table
        command.upgrade(config, revision)


def _is_ours(name: str | None, kind: str, _: object) -> bool:
    """What `Schema` itself keeps is no table of the models."""
    return kind != "table" or name != f"{SCHEMA.version_table}_needs"


@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_a_ledger_of_an_earlier_version_gets_exactly_the_tables_of_the_models(empty: Engine) -> None:
    migrate_to(SCHEMA, empty, "0005")
    assert SCHEMA.upgrade(empty) == SCHEMA.head() == SCHEMA.current(empty)
    with empty.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": _is_ours})
        assert compare_metadata(context, metadata) == []
    assert SCHEMA.upgrade(empty) == SCHEMA.head()


def made_up(folder: Path, *bodies: str) -> Schema:
    """A schema with these migrations, numbered from 1 on."""
    (folder / "versions").mkdir()
    env = "from alembic import context\nimport sqlalchemy as sa\nfrom shared.infra.schema import run_migrations\n"
    (folder / "env.py").write_text(f"{env}run_migrations(context.config, sa.MetaData())\n")
    for number, body in enumerate(bodies, 1):
        text = _MIGRATION.format(revision=str(number), before=f'"{number - 1}"' if number > 1 else None, body=body)
        (folder / "versions" / f"{number}.py").write_text(text)
    return Schema(folder, "made_up_version", remedy="none")


def test_an_index_is_built_beside_the_writers_and_replaces_what_an_interrupted_attempt_left(
    empty: Engine, tmp_path: Path
) -> None:
    schema = made_up(
        tmp_path,
        'op.create_table("things", sa.Column("name", sa.Text))',
        'op.add_column("things", sa.Column("number", sa.Integer))',
        'create_index(op, "ix_things", "things", ["number"], where="number IS NOT NULL")',
    )
    migrate_to(schema, empty, "1")
    if empty.dialect.name == "postgresql":
        with empty.begin() as connection:
            connection.exec_driver_sql("CREATE INDEX ix_things ON things (name)")
        watcher = empty.connect()
        watcher.exec_driver_sql("INSERT INTO things (name) VALUES ('a')")
        watching = threading.Timer(1, watcher.close)  # what is under way is waited for; a plain index would need the table
        watching.start()
    assert schema.upgrade(empty) == "3" == schema.current(empty)
    (index,) = sa.inspect(empty).get_indexes("things")
    assert index["column_names"] == ["number"]


def test_whoever_writes_is_not_kept_waiting_behind_a_migration_that_waits(postgres_url: str, tmp_path: Path) -> None:
    """One that waits for a table's lock makes everyone queue behind it, for as long as the longest transaction."""
    engine = make_engine(postgres_url)
    schema = made_up(
        tmp_path,
        'op.create_table("busy", sa.Column("name", sa.Text))',
        'op.add_column("busy", sa.Column("number", sa.Integer))',
    )
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS busy, made_up_version")
    migrate_to(schema, engine, "1")
    migrating = threading.Thread(target=schema.upgrade, args=(engine,))
    with engine.connect() as long_one:
        long_one.exec_driver_sql("SELECT * FROM busy")
        migrating.start()
        for number in range(8):
            with engine.begin() as connection:
                connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
                connection.exec_driver_sql("SELECT pg_sleep(0.1)")
                connection.exec_driver_sql(f"INSERT INTO busy (name) VALUES ('{number}')")
        assert schema.current(engine) == "1"
    migrating.join(30)
    assert schema.current(engine) == "2"
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM busy").scalar_one() == 8
        connection.exec_driver_sql("DROP TABLE busy, made_up_version")
    engine.dispose()
