"""A newer program migrates while processes of this one serve: they stay ready, and every webhook is accepted."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from shared.infra.database import make_engine
from shared.infra.schema import Schema
from shared.ledger.tables import SCHEMA
from tests.e2e.running import fetch, running, wait_until
from tests.e2e.samples import tag

pytestmark = pytest.mark.world
_NEWER = """
import sqlalchemy as sa
from alembic import op
from shared.infra.schema import create_index

revision = "9999"
down_revision = "{head}"
compatible = {is_compatible}


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("newer", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("newer", sa.Text(), nullable=True))
    create_index(op, "ix_jobs_newer", "jobs", ["newer"])
"""


def newer_program(folder: Path, *, is_compatible: bool) -> Schema:
    """This program's migrations, and one more."""
    shutil.copytree(SCHEMA.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_newer.py").write_text(_NEWER.format(head=SCHEMA.head(), is_compatible=is_compatible))
    return Schema(folder, SCHEMA.version_table, remedy=SCHEMA.remedy)


def test_old_processes_stay_ready_and_accept_while_and_after_a_newer_program_migrates(
    postgres_url: str, tmp_path: Path
) -> None:
    engine = make_engine(postgres_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("DROP DATABASE IF EXISTS rolling WITH (FORCE)")
        connection.exec_driver_sql("CREATE DATABASE rolling")
    url = engine.url.set(database="rolling").render_as_string(hide_password=False)
    engine.dispose()
    with running(tmp_path / "data", DATABASE_URL=url, WEB_CONCURRENCY="1") as stack:
        statuses: list[int] = []
        readiness: list[int] = []
        done = threading.Event()

        def send() -> None:
            while not done.is_set():
                statuses.append(stack.post(tag(f"v1.0.{len(statuses)}"))[0])
                readiness.append(fetch(f"{stack.url}/readyz", {}, None)[0])

        sender = threading.Thread(target=send)
        sender.start()
        wait_until(lambda: len(statuses) >= 10, 60)
        migrated = make_engine(url)
        newer_program(tmp_path / "newer", is_compatible=True).upgrade(migrated)
        sent = len(statuses)
        wait_until(lambda: len(statuses) >= sent + 20, 60)
        done.set()
        sender.join()
        assert set(statuses) == {202}
        assert set(readiness) == {200}
        last = f"v1.0.{len(statuses) - 1}"
        wait_until(lambda: stack.release(last) is not None, 60)
        said = [line for line in stack.lines if "schema.newer" in line]
        assert len([line for line in said if line.startswith("web ")]) == 1
        newer_program(tmp_path / "newest", is_compatible=False)._note_needs(migrated)
        status, told = fetch(f"{stack.url}/readyz", {}, None)
        assert (status, told["status"]) == (503, "unavailable")
        assert told["schema"].endswith(f"this program knows {SCHEMA.head()}: start the newer program")
        migrated.dispose()
