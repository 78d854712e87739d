"""What a program knows of its schema without Alembic, which only a process that migrates imports."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from releases.bootstrap import SCHEMA as ENDPOINT
from shared.errors import SchemaError
from shared.infra.database import make_engine
from shared.infra.schema import Schema
from shared.ledger.tables import SCHEMA as LEDGER
from tests.migrated import migrate


@pytest.mark.parametrize("schema", [LEDGER, ENDPOINT], ids=["ledger", "endpoint"])
def test_the_newest_revision_is_the_one_head_of_alembic(schema: Schema) -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.folder))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.head()]


def test_a_database_of_another_program_is_refused_by_name_and_kept(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    migrate(engine, LEDGER)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {LEDGER.version_table} SET version_num = '9999'")
        connection.exec_driver_sql(f"DROP TABLE {LEDGER.version_table}_needs")
    for refused in (LEDGER.upgrade, LEDGER.check):
        with pytest.raises(SchemaError, match=rf"is at 9999, .* knows {LEDGER.head()}: start the newer program$"):
            refused(engine)
    assert LEDGER.current(engine) == "9999"
    engine.dispose()


_ENV = "from alembic import context\nimport sqlalchemy as sa\nfrom shared.infra.schema import run_migrations\n"


def program(folder: Path, marks: str) -> Schema:
    """One with as many migrations as `marks` has letters: c for a compatible one, i for one that is not."""
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(f"{_ENV}run_migrations(context.config, sa.MetaData())\n")
    for number, mark in enumerate(marks, 1):
        before = f'"{number - 1}"' if number > 1 else None
        text = f'revision = "{number}"\ndown_revision = {before}\ncompatible = {mark == "c"}\n\ndef upgrade() -> None: ...\n'
        (folder / "versions" / f"{number}.py").write_text(text)
    return Schema(folder, "made_up_version", remedy="db upgrade")


@pytest.mark.parametrize(
    ("older", "newer", "fault"),
    [
        ("i", "icc", None),
        ("ic", "icc", None),
        ("i", "ici", "is at 3, for programs that know 3; this program knows 1: start the newer program"),
        ("ici", "icicc", None),
        ("ic", "icicc", "is at 5, for programs that know 3; this program knows 2: start the newer program"),
    ],
)
def test_an_older_program_works_on_as_long_as_it_knows_the_last_migration_that_is_not_compatible(
    tmp_path: Path, older: str, newer: str, fault: str | None
) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'one.sqlite3'}")
    old, new = program(tmp_path / "old", older), program(tmp_path / "new", newer)
    old.upgrade(engine)
    new.upgrade(engine)
    if fault is None:
        old.check(engine)
        assert old.upgrade(engine) == new.head(), "a rolled-back deploy may migrate again: there is nothing to do"
    else:
        with pytest.raises(SchemaError, match=fault) as refused:
            old.check(engine)
        assert "db upgrade" not in str(refused.value)
    assert new.current(engine) == new.head()
    new.check(engine)
    engine.dispose()


def test_a_newer_program_says_which_command_migrates(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'one.sqlite3'}")
    program(tmp_path / "old", "ic").upgrade(engine)
    with pytest.raises(SchemaError, match="is at 2, this program needs 3: run `db upgrade`"):
        program(tmp_path / "new", "icc").check(engine)
    engine.dispose()


@pytest.mark.parametrize("schema", [LEDGER, ENDPOINT], ids=["ledger", "endpoint"])
def test_each_newer_migration_says_whether_older_programs_work_on(schema: Schema) -> None:
    said = re.compile(r"^compatible = (True|False)\b", re.MULTILINE)
    first_to_say = "0013" if schema is LEDGER else "0007"
    for path in schema.folder.glob("versions/[0-9]*.py"):
        if path.name >= first_to_say:
            assert said.search(path.read_text(encoding="utf-8")), (
                f"{path.name} lacks `compatible = True`, or False (docs/operations.md)"
            )


_IMPORTS = """
import importlib, sys
for program in ("webhook.app", "worker.__main__", "worker.sweeper.loop", "releases.app"):
    importlib.import_module(program)
    assert "alembic" not in sys.modules, program
"""


def test_no_process_that_serves_imports_alembic() -> None:
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True, timeout=60)
