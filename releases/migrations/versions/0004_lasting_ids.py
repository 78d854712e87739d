"""A release's, deploy's or credential's number is never given to another one, also after it was deleted.

PostgreSQL's sequences never go back. SQLite gives the largest number + 1 unless the column says AUTOINCREMENT, which only a
new table can: rows are copied with their numbers. `Schema.upgrade` has switched foreign keys off, so that dropping the old
table deletes nothing that refers to it.
"""

from __future__ import annotations

import sqlite3

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None

TABLES = ("rel_releases", "rel_deploys", "rel_credentials")


def upgrade() -> None:
    _rebuild(is_lasting=True)


def downgrade() -> None:
    _rebuild(is_lasting=False)


def _rebuild(*, is_lasting: bool) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    if connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one():
        raise RuntimeError("foreign keys are on: dropping a table would delete the rows that refer to it")
    for name in TABLES:
        with op.batch_alter_table(name, recreate="always", table_kwargs={"sqlite_autoincrement": is_lasting}):
            pass
    if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise sa.exc.IntegrityError("PRAGMA foreign_key_check", {}, sqlite3.IntegrityError(f"broken reference: {broken}"))
