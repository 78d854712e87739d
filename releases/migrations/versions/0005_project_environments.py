"""Which environments a project was deployed to, and its last deploy in each, are read from an index."""

from __future__ import annotations

from alembic import op

revision = "r0005"
down_revision = "r0004"
branch_labels = None
depends_on = None

_NAME = "ix_rel_last_deploys_project_id_environment_id_deploy_id"


def upgrade() -> None:
    op.create_index(_NAME, "rel_last_deploys", ["project_id", "environment_id", "deploy_id"], unique=False)


def downgrade() -> None:
    op.drop_index(_NAME, table_name="rel_last_deploys")
