"""Who is calling and what they may touch: the Authorization header against the stored credentials. Writes nothing."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.errors import forbidden, missing, unauthenticated
from releases.tables.tenants import credential_projects, credentials, organizations, users
from releases.tenancy.credentials import Kind, digest

_KEY_SCOPES = frozenset({"project:releases", "project:write"})


@dataclass(frozen=True, slots=True)
class Organization:
    id: int
    slug: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated credential. `projects` None: all of its organization's. `scopes`: in the order they were given."""

    kind: Kind
    credential_id: int
    organization: Organization
    scopes: tuple[str, ...]
    projects: frozenset[int] | None
    user: RowMapping | None

    @property
    def organization_id(self) -> int:
        return self.organization.id

    def user_columns(self) -> dict[str, object]:
        """The user as USER_COLUMNS names them; of a token that is nobody's, the token."""
        if self.user is None:
            word = f"token-{self.credential_id}"
            who = {"user_id": self.credential_id, "username": word, "user_name": word}
            return {**who, "user_email": "", "user_joined": None}
        names = {"user_id": "user_id", "username": "username", "user_email": "email", "user_name": "name"}
        return {name: self.user[column] for name, column in names.items()} | {"user_joined": self.user["user_joined"]}

    @property
    def reaches(self) -> frozenset[int] | None:
        """The projects whose releases the organization's routes show: for an API key that may only read, none."""
        if self.kind == "key" and _KEY_SCOPES.isdisjoint(self.scopes):
            return frozenset()
        return self.projects

    def has_any(self, scopes: Sequence[str]) -> bool:
        return any(scope in self.scopes for scope in scopes)

    def may_see(self, project_id: int) -> bool:
        return self.projects is None or project_id in self.projects


def read_header(header: str | None) -> tuple[Kind, str]:
    """The kind of credential and its secret. Raises Refused (401) with the original's texts."""
    scheme, _, rest = (header or "").strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        return "token", _single(rest, "Invalid token header. {}", "Token string should not contain spaces.")
    if scheme.lower() == "basic":
        coded = _single(rest, "Invalid basic header. {}", "Credentials string should not contain spaces.")
        try:
            decoded = base64.b64decode(coded.encode("utf-8", "surrogateescape"))  # what is not of its alphabet is skipped
        except (binascii.Error, ValueError):
            raise unauthenticated("Invalid basic header. Credentials not correctly base64 encoded.") from None
        name, _, password = decoded.decode("utf-8", "replace").partition(":")
        if not password:
            return "key", name
    raise unauthenticated("Authentication credentials were not provided.")


def _single(rest: str, frame: str, spaces: str) -> str:
    if not rest:
        raise unauthenticated(frame.format("No credentials provided."))
    if " " in rest:
        raise unauthenticated(frame.format(spaces))
    return rest


_FIND = (
    sa.select(
        credentials.c.id,
        credentials.c.organization_id,
        organizations.c.slug,
        credentials.c.scopes,
        credentials.c.is_limited,
        credentials.c.expires_at,
        credentials.c.revoked_at,
        credentials.c.user_id,
        users.c.username,
        users.c.email,
        users.c.name,
        users.c.is_active,
        users.c.date_added.label("user_joined"),
    )
    .select_from(
        credentials.join(organizations, organizations.c.id == credentials.c.organization_id).outerjoin(
            users, users.c.id == credentials.c.user_id
        )
    )
    .where(credentials.c.kind == sa.bindparam("kind"), credentials.c.digest == sa.bindparam("digest"))
)


def authenticate(connection: Connection, header: str | None, now: datetime) -> Caller:
    """The caller. Raises Refused (401)."""
    kind, secret = read_header(header)
    row = connection.execute(_FIND, {"kind": kind, "digest": digest(secret)}).mappings().one_or_none()
    if row is None or (kind == "token" and row["revoked_at"] is not None):
        if kind == "key":
            raise unauthenticated("API key is not valid")
        raise unauthenticated("Invalid org token" if secret.startswith("sntrys_") else "Invalid token")
    if row["revoked_at"] is not None:
        raise unauthenticated("Key is disabled")
    if row["expires_at"] is not None and row["expires_at"] <= now:
        raise unauthenticated("Token expired")
    if row["user_id"] is not None and not row["is_active"]:
        raise unauthenticated("User inactive or deleted")
    return Caller(
        kind=kind,
        credential_id=row["id"],
        organization=Organization(row["organization_id"], row["slug"]),
        scopes=tuple(row["scopes"].split()),
        projects=_limits(connection, row["id"]) if row["is_limited"] else None,
        user=row if row["user_id"] is not None else None,
    )


def _limits(connection: Connection, credential_id: int) -> frozenset[int]:
    query = sa.select(credential_projects.c.project_id).where(credential_projects.c.credential_id == credential_id)
    return frozenset(connection.execute(query).scalars())


_ORGANIZATION = sa.select(organizations.c.id, organizations.c.slug)
_ORGANIZATION_BY_ID = _ORGANIZATION.where(organizations.c.id == sa.bindparam("name"))
_ORGANIZATION_BY_SLUG = _ORGANIZATION.where(organizations.c.slug == sa.bindparam("name"))


def enter(connection: Connection, caller: Caller, org: str, scopes: Sequence[str]) -> Organization:
    """The organization of the address. Raises Refused: 403 a scope short, 404 unknown, 403 another's, in this order."""
    require(caller, scopes)
    own = caller.organization
    found = own if org in (own.slug, str(own.id)) else find_organization(connection, org)
    if found is None:
        raise missing()
    if found.id != caller.organization_id:
        raise forbidden()
    return found


def require(caller: Caller, scopes: Sequence[str]) -> None:
    """Raises Refused (403) unless the caller has one of the scopes."""
    if not caller.has_any(scopes):
        raise forbidden()


def find_organization(connection: Connection, org: str) -> Organization | None:
    """By slug, or by number where all characters are digits."""
    if len(org) > 50 or not org.isascii() or not org.isprintable():
        return None
    is_number = org.isdigit() and len(org) < 19
    query = _ORGANIZATION_BY_ID if is_number else _ORGANIZATION_BY_SLUG
    row = connection.execute(query, {"name": int(org) if is_number else org}).one_or_none()
    return None if row is None else Organization(row.id, row.slug)
