"""What a program knows of its schema without Alembic, which only a process that migrates imports."""

from __future__ import annotations

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


@pytest.mark.parametrize("schema", [LEDGER, ENDPOINT], ids=["ledger", "endpoint"])
def test_the_newest_revision_is_the_one_head_of_alembic(schema: Schema) -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.folder))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.head()]


def test_a_database_of_another_program_is_refused_by_name_and_kept(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    assert LEDGER.current(engine) is None
    assert LEDGER.upgrade(engine) == LEDGER.current(engine) == LEDGER.head()
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {LEDGER.version_table} SET version_num = '9999'")
    with pytest.raises(SchemaError, match=r"another version of this program.*9999"):
        LEDGER.upgrade(engine)
    assert LEDGER.current(engine) == "9999"
    engine.dispose()


_IMPORTS = """
import importlib, sys
for program in ("webhook.app", "worker.__main__", "worker.sweeper.loop", "releases.app"):
    importlib.import_module(program)
    assert "alembic" not in sys.modules, program
"""


def test_no_process_that_serves_imports_alembic() -> None:
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True, timeout=60)
