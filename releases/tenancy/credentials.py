"""API keys and tokens: made, found, revoked. The secret is shown once; only its SHA-256 is stored.

A plain digest is enough because the secrets are random (40 bytes): there is no dictionary to try.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.tables.tenants import credential_projects, credentials

Kind = Literal["token", "key"]

READ = ("project:read", "project:write", "project:admin", "project:releases", "org:ci")
WRITE = ("project:write", "project:admin", "project:releases", "org:ci")
DELETE = ("project:admin", "project:releases")
ORGANIZATION = ("org:read", "org:write", "org:admin")
PROJECT = ("project:read", "project:write", "project:admin")
REPOSITORIES = ("org:read", "org:write", "org:admin", "org:integrations", "org:ci")
SCOPES = tuple(dict.fromkeys((*READ, *REPOSITORIES)))
SETTING = "SENTRY_AUTH_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    """What a credential may do. `projects` None: every project of the organization."""

    kind: Kind
    scopes: tuple[str, ...]
    user_id: int | None = None
    projects: Sequence[int] | None = None
    expires_at: datetime | None = None
    label: str | None = None


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def create(
    connection: Connection, organization_id: int, new: NewCredential, now: datetime, *, secret: str = ""
) -> tuple[int, str]:
    """Store one and return (id, secret)."""
    secret = secret or secrets.token_hex(40)
    values = {
        "organization_id": organization_id,
        "kind": new.kind,
        "digest": digest(secret),
        "hint": secret[-4:] if len(secret) >= 16 else "",
        "label": new.label,
        "scopes": " ".join(new.scopes),
        "user_id": new.user_id,
        "is_limited": new.projects is not None,
        "expires_at": new.expires_at,
        "date_added": now,
    }
    made: int = connection.execute(sa.insert(credentials).values(values).returning(credentials.c.id)).scalar_one()
    if new.projects:
        rows = [{"credential_id": made, "project_id": project} for project in new.projects]
        connection.execute(sa.insert(credential_projects), rows)
    return made, secret


def accept_setting(connection: Connection, organization_id: int, secret: str | None, now: datetime) -> None:
    """Make the value of SENTRY_AUTH_TOKEN, and only its present value, valid as token and as key."""
    theirs = credentials.c.label == SETTING
    if secret is None:
        connection.execute(sa.delete(credentials).where(theirs))
        return
    kept = sa.and_(credentials.c.digest == digest(secret), credentials.c.organization_id == organization_id)
    connection.execute(sa.delete(credentials).where(theirs, ~kept))
    known = set(connection.execute(sa.select(credentials.c.kind).where(credentials.c.digest == digest(secret))).scalars())
    for kind in ("token", "key"):
        if kind not in known:
            new = NewCredential(kind=kind, scopes=SCOPES, label=SETTING)
            create(connection, organization_id, new, now, secret=secret)


def list_all(connection: Connection, organization_id: int, kind: Kind) -> Sequence[RowMapping]:
    query = sa.select(credentials).where(credentials.c.organization_id == organization_id, credentials.c.kind == kind)
    return connection.execute(query.order_by(credentials.c.id)).mappings().all()


def revoke(connection: Connection, organization_id: int, kind: Kind, number: int, now: datetime) -> bool:
    """Whether there was one to revoke; a second time changes nothing and is no fault."""
    found = sa.and_(credentials.c.id == number, credentials.c.organization_id == organization_id, credentials.c.kind == kind)
    moment = sa.func.coalesce(credentials.c.revoked_at, sa.bindparam("now", now, credentials.c.revoked_at.type))
    return connection.execute(sa.update(credentials).where(found).values(revoked_at=moment)).rowcount > 0
