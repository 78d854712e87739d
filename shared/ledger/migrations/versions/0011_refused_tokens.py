"""Refusals of a forge beside its rate limits: asked about once a minute for a token, not once for each release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("holds", sa.Column("repository_key", sa.String(length=553), nullable=True))
    op.add_column("holds", sa.Column("since", UtcDateTime(), nullable=True))
