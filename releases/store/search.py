"""The filters and orders of the release list, from a query string to SQL. Never writes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from werkzeug.datastructures import MultiDict

from releases.errors import bad_request, forbidden, missing
from releases.store import listings
from releases.tables.releases import environments, last_deploys, releases
from releases.tenancy import organizations
from releases.tenancy.authentication import Caller
from releases.validation.fields import Fault, text
from releases.validation.search_query import Condition, QueryError, parse_query, read_bound
from releases.validation.times import parse_time

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
_PERIOD = re.compile(r"([1-9][0-9]{0,6})([smhdw]?)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks", "": "seconds"}


def narrow(connection: Connection, caller: Caller, args: Args, now: datetime) -> tuple[sa.Select[Any], Order | None]:
    """(query, order); order None: newest first. Raises Refused: 400, 403 for a project, 404 for an environment."""
    for values in args.listvalues():
        for value in values:
            storable(value)
    query = listings.of_organization(caller.organization_id)
    projects = _projects(connection, caller, args)
    if projects is not None:
        query = listings.within_projects(query, projects)
    for clause in (
        *_status(args),
        *_environment(connection, caller, args),
        *_dates(args, now),
        *matching(args.get("query", "")),
    ):
        query = query.where(clause)
    return query, _order(args)


def storable(value: str) -> str:
    """A query parameter that a database can be asked for. Raises Refused (400)."""
    try:
        text(blank=True, longest=4_096)(value)
    except Fault as fault:
        raise bad_request(" ".join(fault.texts)) from fault
    return value


def _projects(connection: Connection, caller: Caller, args: Args) -> frozenset[int] | None:
    """The projects to look in, None for all."""
    numbers = args.getlist("project")
    if not all(re.fullmatch(r"-1|[0-9]{1,18}", number) for number in numbers):
        raise bad_request("Invalid project parameter. Values must be numbers.")
    wanted: list[int | str] = [*(int(number) for number in numbers), *args.getlist("projectSlug")]
    if not wanted or -1 in wanted:
        return caller.projects
    found = organizations.find_projects(connection, caller.organization_id, wanted)
    ids = frozenset(row["id"] for row in found.values())
    if len(found) < len(set(wanted)) or not all(caller.may_see(number) for number in ids):
        raise forbidden()
    return ids


def _status(args: Args) -> list[Clause]:
    status = args.get("status", "open")
    if status not in ("open", "archived", ""):
        raise bad_request("invalid value for status")
    return [releases.c.is_archived.is_(status == "archived")] if status else []


def _environment(connection: Connection, caller: Caller, args: Args) -> list[Clause]:
    names = [name for name in args.getlist("environment") if name]
    if not names:
        return []
    ids = find_environments(connection, caller.organization_id, names)
    if len(ids) < len(set(names)):
        raise missing()
    return [deployed_to(ids)]


def find_environments(connection: Connection, organization_id: int, names: list[str]) -> list[int]:
    query = sa.select(environments.c.id).where(
        environments.c.organization_id == organization_id, environments.c.name.in_(sorted(set(names)))
    )
    return list(connection.execute(query).scalars())


def deployed_to(environment_ids: list[int]) -> Clause:
    deployed = sa.select(sa.literal(1)).where(
        last_deploys.c.release_id == releases.c.id, last_deploys.c.environment_id.in_(environment_ids)
    )
    return deployed.exists()


def _dates(args: Args, now: datetime) -> list[Clause]:
    clauses: list[Clause] = []
    for name, compare in (("start", releases.c.date_added.__ge__), ("end", releases.c.date_added.__le__)):
        if value := args.get(name):
            try:
                clauses.append(compare(parse_time(value)))
            except ValueError:
                raise bad_request(f"Invalid {name}: {value!r}") from None
    if period := args.get("statsPeriod"):
        clauses.append(releases.c.date_added >= _period_start(period, now))
    return clauses


def _period_start(period: str, now: datetime) -> datetime:
    match = _PERIOD.fullmatch(period)
    if match is None:
        raise bad_request(f"Invalid statsPeriod: {period!r}")
    try:
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _order(args: Args) -> Order | None:
    sort = args.get("sort") or "date"
    if sort in _ORDERS:
        return _ORDERS[sort]
    if sort in _NEEDS_SESSIONS and args.get("flatten") == "1":
        return None
    raise bad_request("invalid sort")


def matching(query: str) -> list[Clause]:
    """The clauses of a search text. Raises Refused (400)."""
    try:
        parsed = parse_query(query)
    except QueryError as problem:
        raise bad_request(str(problem)) from problem
    clauses = [_clause(condition) for condition in parsed.conditions]
    if parsed.texts:
        clauses.append(sa.or_(*(releases.c.version.icontains(spelling, autoescape=True) for spelling in parsed.texts)))
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
