"""The tables of who may do what: organizations, projects, users, credentials; and how our columns are spelled.

Every table of the endpoint is called rel_...: where a machine has but one database, the receiver's tables lie beside them.
"""

from __future__ import annotations

import sqlalchemy as sa

from shared.infra.database import UtcDateTime

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers rows by itself only for INTEGER


def row_id() -> sa.Column[int]:
    return sa.Column("id", Id, primary_key=True, autoincrement=True)


def reference(
    name: str, target: str, *, nullable: bool = False, key: bool = False, on_delete: str = "CASCADE"
) -> sa.Column[int]:
    return sa.Column(name, Id, sa.ForeignKey(f"{target}.id", ondelete=on_delete), nullable=nullable, primary_key=key)


def moment(name: str = "date_added", *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime(), nullable=nullable)


organizations = sa.Table(
    "rel_organizations",
    metadata,
    row_id(),
    sa.Column("slug", sa.String(50), nullable=False, unique=True),
    sa.Column("name", sa.String(128), nullable=False),
    moment(),
)

projects = sa.Table(
    "rel_projects",
    metadata,
    row_id(),
    reference("organization_id", "rel_organizations"),
    sa.Column("slug", sa.String(100), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("platform", sa.String(64)),
    moment(),
    sa.UniqueConstraint("organization_id", "slug"),
)

project_redirects = sa.Table(
    "rel_project_redirects",
    metadata,
    reference("organization_id", "rel_organizations", key=True),
    sa.Column("slug", sa.String(100), primary_key=True),
    reference("project_id", "rel_projects"),
)

users = sa.Table(
    "rel_users",
    metadata,
    row_id(),
    sa.Column("username", sa.String(128), nullable=False, unique=True),
    sa.Column("email", sa.String(75), nullable=False, index=True),  # in lower case, as authors' are
    sa.Column("name", sa.String(200), nullable=False, default=""),
    sa.Column("is_active", sa.Boolean, nullable=False, default=True),
    moment(),
)

members = sa.Table(
    "rel_members",
    metadata,
    reference("organization_id", "rel_organizations", key=True),
    reference("user_id", "rel_users", key=True),
    sa.Index("ix_rel_members_user_id", "user_id"),
)

credentials = sa.Table(
    "rel_credentials",
    metadata,
    row_id(),
    reference("organization_id", "rel_organizations"),
    sa.Column("kind", sa.String(8), nullable=False),  # token (Bearer) or key (Basic user name)
    sa.Column("digest", sa.String(64), nullable=False),  # SHA-256, hex: the secret itself is never stored
    sa.Column("hint", sa.String(8), nullable=False),  # its last characters, so that people can tell theirs apart
    sa.Column("label", sa.String(64)),  # who made it: a person, or the setting SENTRY_AUTH_TOKEN
    sa.Column("scopes", sa.Text, nullable=False),
    reference("user_id", "rel_users", nullable=True),
    sa.Column("is_limited", sa.Boolean, nullable=False, default=False),  # to the projects of credential_projects
    moment("expires_at", nullable=True),
    moment("revoked_at", nullable=True),
    moment(),
    sa.UniqueConstraint("kind", "digest"),
    sa.Index("ix_rel_credentials_organization_id", "organization_id"),
    sqlite_autoincrement=True,  # `token revoke ORG ID` must not meet another token under an old number
)

credential_projects = sa.Table(
    "rel_credential_projects",
    metadata,
    reference("credential_id", "rel_credentials", key=True),
    reference("project_id", "rel_projects", key=True),
)
