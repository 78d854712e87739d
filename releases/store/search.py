"""The filters and orders of the release list, from a query string to SQL. Never writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from werkzeug.datastructures import MultiDict

from releases.errors import bad_request, missing
from releases.store import listings
from releases.tables.releases import environments, last_deploys, release_projects, releases
from releases.tenancy import visibility
from releases.validation import date_range
from releases.validation.date_range import DateRangeError
from releases.validation.fields import Fault, text
from releases.validation.search_query import Condition, QueryError, parse_query, read_bound

Args = MultiDict[str, str]
Clause = sa.ColumnElement[bool]
Order = tuple[sa.ColumnElement[Any], ...]

_NEEDS_SESSIONS = ("crash_free_sessions", "crash_free_users", "sessions", "users", "sessions_24h", "users_24h")
_NUMBERS = (releases.c.major, releases.c.minor, releases.c.patch, releases.c.revision)
_IS_FINAL = sa.case((releases.c.prerelease == "", 1), else_=0)
_BY_VERSION: Order = (
    *(column.desc().nulls_last() for column in _NUMBERS),
    _IS_FINAL.desc(),
    releases.c.prerelease.desc().nulls_last(),
    releases.c.id.desc(),
)
_BY_BUILD: Order = (releases.c.build_number.desc().nulls_last(), releases.c.id.desc())
_ORDERS: dict[str, Order | None] = {"date": None, "adoption": None, "semver": _BY_VERSION, "build": _BY_BUILD}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is to hold. `order` None: newest first."""

    query: sa.Select[Any]
    order: Order | None


def narrow(connection: Connection, organization_id: int, visible: frozenset[int] | None, args: Args, now: datetime) -> Wanted:
    """The list that a query string asks for. Raises Refused: 400, 403 for a project, 404 for an environment.

    Of a repeated parameter the last value counts, but for projects and environments, of which all do.
    """
    for values in args.listvalues():
        for value in values:
            storable(value)
    check_periods(args)
    dates = _dates(args, now)
    named = [*args.getlist("project"), *args.getlist("projectSlug")]
    projects = visibility.narrow(connection, organization_id, visible, named)
    query = listings.within_projects(listings.of_organization(organization_id), projects)
    environments = args.getlist("environment")
    for clause in (
        *_environment(connection, organization_id, environments, projects),
        *_status(args),
        *dates,
        *matching(_last(args, "query") or "", environments=len(set(environments))),
    ):
        query = query.where(clause)
    order = _order(args)
    if order is _BY_BUILD:
        query = query.where(releases.c.build_number.is_not(None))
    is_flat = _last(args, "flatten") == "1" and _last(args, "sort") not in _NEEDS_SESSIONS
    return _flatten(query, order, projects) if is_flat else Wanted(query, order)


def _last(args: Args, name: str, default: str | None = None) -> str | None:
    return args.getlist(name)[-1] if name in args else default


def check_periods(args: Args) -> None:
    """Raises Refused (400)."""
    try:
        date_range.check_periods(partial(_last, args))
    except DateRangeError as problem:
        raise bad_request(str(problem)) from problem


def _flatten(query: sa.Select[Any], order: Order | None, projects: frozenset[int] | None) -> Wanted:
    """One row for each project of a release, as `for_project`."""
    query = query.add_columns(release_projects.c.project_id.label("for_project"))
    query = query.join(release_projects, release_projects.c.release_id == releases.c.id)
    if projects is not None:
        query = query.where(release_projects.c.project_id.in_(sorted(projects)))
    newest: Order = (releases.c.date_added.desc(), releases.c.id.desc())
    return Wanted(query, (*(order or newest), release_projects.c.project_id))


def storable(value: str) -> str:
    """A query parameter that a database can be asked for. Raises Refused (400)."""
    try:
        text(blank=True, longest=4_096, trim=False)(value)
    except Fault as fault:
        raise bad_request(" ".join(fault.texts)) from fault
    return value


def _status(args: Args) -> list[Clause]:
    status = _last(args, "status", "open")
    if status not in ("open", "archived", ""):
        raise bad_request("invalid value for status")
    return [releases.c.is_archived.is_(status == "archived")] if status else []


def _environment(
    connection: Connection, organization_id: int, names: list[str], projects: frozenset[int] | None
) -> list[Clause]:
    if not names:
        return []
    ids = find_environments(connection, organization_id, names, projects)
    if len(ids) < len(set(names)):
        raise missing()
    return [deployed_to(ids, projects)]


def find_environments(
    connection: Connection, organization_id: int, names: list[str], projects: Collection[int] | None = None
) -> list[int]:
    """Their ids; with `projects` only of those that one of the projects was deployed to."""
    query = sa.select(environments.c.id).where(
        environments.c.organization_id == organization_id, environments.c.name.in_(sorted(set(names)))
    )
    if projects is not None:
        used = sa.select(sa.literal(1)).where(
            last_deploys.c.environment_id == environments.c.id, last_deploys.c.project_id.in_(sorted(projects))
        )
        query = query.where(used.exists())
    return list(connection.execute(query).scalars())


def deployed_to(environment_ids: list[int], projects: Collection[int] | None = None) -> Clause:
    """True for a release that was deployed to one of the environments, in any project or in some."""
    deployed = sa.select(sa.literal(1)).where(
        last_deploys.c.release_id == releases.c.id, last_deploys.c.environment_id.in_(environment_ids)
    )
    if projects is not None:
        deployed = deployed.where(last_deploys.c.project_id.in_(sorted(projects)))
    return deployed.exists()


def _dates(args: Args, now: datetime) -> list[Clause]:
    try:
        found = date_range.read_range(partial(_last, args), now)
    except DateRangeError as problem:
        raise bad_request(str(problem)) from problem
    return [] if found is None else [releases.c.date_added >= found[0], releases.c.date_added <= found[1]]


def _order(args: Args) -> Order | None:
    sort = _last(args, "sort") or "date"
    if sort in _ORDERS:
        return _ORDERS[sort]
    if sort not in _NEEDS_SESSIONS:
        raise bad_request("invalid sort")
    if _last(args, "flatten") != "1":
        raise bad_request("sorting by crash statistics requires flattening (flatten=1)")
    return None


def containing(text: str) -> Clause:
    """True for a version that holds the text, in any letter case."""
    return releases.c.version.icontains(text, autoescape=True)


def matching(query: str, *, environments: int = 1) -> list[Clause]:
    """The clauses of a search text. `environments`: how many the list is narrowed to. Raises Refused (400)."""
    try:
        parsed = parse_query(query)
    except QueryError as problem:
        raise bad_request(str(problem)) from problem
    if environments != 1 and any(condition.key == "release.stage" for condition in parsed.conditions):
        raise bad_request("Choose a single environment to filter by release stage.")
    clauses = [_clause(condition) for condition in parsed.conditions]
    if parsed.texts:
        clauses.append(sa.or_(*(containing(spelling) for spelling in parsed.texts)))
    return clauses


def _clause(condition: Condition) -> Clause:
    clause: Clause = _READERS[condition.key](condition)
    return sa.not_(sa.func.coalesce(clause, sa.false())) if condition.is_negated else clause


def _like(column: sa.Column[Any], values: tuple[str, ...]) -> Clause:
    """Equal to any of the values; `*` stands for anything."""
    return sa.or_(*(_like_one(column, value) for value in values))


def _like_one(column: sa.Column[Any], value: str) -> Clause:
    if "*" not in value:
        return column == value
    pattern = re.sub(r"([\\%_])", r"\\\1", value).replace("*", "%")
    return column.like(pattern, escape="\\")


def _version(condition: Condition) -> Clause:
    return sa.or_(*(_compare_version(condition.operator, value) for value in condition.values))


def _compare_version(operator: str, value: str) -> Clause:
    bound = read_bound(value)
    if bound.is_prefix:
        return sa.and_(*(column == number for column, number in zip(_NUMBERS, bound.numbers, strict=False)))
    mine = sa.tuple_(*_NUMBERS, _IS_FINAL, releases.c.prerelease)
    numbers = [sa.literal(number, sa.BigInteger) for number in (*bound.numbers, int(not bound.pre))]
    return mine.op(operator, is_comparison=True)(sa.tuple_(*numbers, sa.literal(bound.pre)))


def _build(condition: Condition) -> Clause:
    if condition.operator == "=":
        return _like(releases.c.build_code, condition.values)
    number = sa.literal(min(int(condition.values[0]), 2**63 - 1), sa.BigInteger)
    return releases.c.build_number.op(condition.operator, is_comparison=True)(number)


def _finalized(condition: Condition) -> Clause:
    is_set = releases.c.date_released.is_not(None)
    return is_set if condition.values == ("true",) else sa.not_(is_set)


_READERS: dict[str, Callable[[Condition], Clause]] = {
    "release": lambda condition: _like(releases.c.version, condition.values),
    "release.package": lambda condition: _like(releases.c.package, condition.values),
    "release.version": _version,
    "release.build": _build,
    "release.stage": lambda _: sa.false(),  # adoption is counted from sessions, which are not kept here
    "finalized": _finalized,
}
