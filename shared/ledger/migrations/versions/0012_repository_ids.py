"""The provider's number of a repository with each delivery and job, and what each known repository was called before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime
from shared.infra.schema import create_index

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The indexes commit these before they are built: a migration that was interrupted finds them here.
    again = op.get_context().dialect.name == "postgresql"
    op.add_column("deliveries", sa.Column("repository_id", sa.BigInteger(), nullable=True), if_not_exists=again)
    op.add_column("jobs", sa.Column("repository_id", sa.BigInteger(), nullable=True), if_not_exists=again)
    op.add_column("known_repositories", sa.Column("repository_id", sa.BigInteger(), nullable=True), if_not_exists=again)
    op.add_column("known_repositories", sa.Column("named_at", UtcDateTime(), nullable=True), if_not_exists=again)
    op.add_column(
        "known_repositories", sa.Column("former_names", sa.JSON(none_as_null=True), nullable=True), if_not_exists=again
    )
    create_index(op, "ix_known_repositories_repository_id", "known_repositories", ["repository_id"])
    create_index(op, "ix_known_repositories_name", "known_repositories", [sa.text("lower(repository)")])
