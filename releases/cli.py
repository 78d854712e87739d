"""The verbs of `python -m releases`: each one transaction, printed for people or as JSON. Reads no environment."""

from __future__ import annotations

import argparse
import json
import socket
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases import bootstrap
from releases.http.rate_limit import read_limit
from releases.pages import visitors
from releases.tenancy import authentication, credentials, organizations
from releases.tenancy.credentials import NewCredential
from releases.validation.times import render_time
from shared.config.settings import Settings
from shared.errors import SettingsError
from shared.infra import logs
from shared.infra.server import serve

NOTHING_MATCHED = 3
_DEFAULT_SCOPES = ("project:read",)
_Row = dict[str, Any]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m releases", description="The embedded releases endpoint.")
    nouns = parser.add_subparsers(dest="noun", required=True)
    nouns.add_parser("serve", help="answer HTTP until Ctrl-C")
    org = nouns.add_parser("org", help="organizations").add_subparsers(dest="verb", required=True)
    _verb(org, "create", create_organization, "slug", name="--name")
    _verb(org, "list", list_organizations)
    project = nouns.add_parser("project", help="projects").add_subparsers(dest="verb", required=True)
    _verb(project, "create", create_project, "org", "slug", name="--name")
    _verb(project, "list", list_projects, "org")
    _verb(project, "rename", rename_project, "org", "slug", "new_slug")
    repo = nouns.add_parser("repo", help="repositories, for `set-commits --auto`").add_subparsers(dest="verb", required=True)
    _verb(repo, "create", create_repository, "org", "name", url="--url", provider="--provider")
    for kind, text in (("token", "Bearer tokens"), ("key", "API keys: the user name of Basic, with an empty password")):
        verbs = nouns.add_parser(kind, help=text).add_subparsers(dest="verb", required=True)
        create = _verb(verbs, "create", create_credential, "org", expires="--expires-days", user="--user")
        create.add_argument("--scope", action="append", choices=credentials.SCOPES, help="may be repeated")
        create.add_argument("--project", action="append", help="only this project; may be repeated")
        _verb(verbs, "list", list_credentials, "org")
        _verb(verbs, "revoke", revoke_credential, "org", "id")
    return parser.parse_args(arguments)


def _verb(verbs: Any, word: str, function: Callable[..., int], *positional: str, **optional: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(word)
    parser.set_defaults(function=function)
    parser.add_argument("--json", action="store_true", help="print JSON")
    for argument in positional:
        parser.add_argument(argument)
    for destination, flag in optional.items():
        parser.add_argument(flag, dest=destination)
    return parser


def run(options: argparse.Namespace, settings: Settings) -> int:
    """The exit code. Raises SettingsError."""
    if options.noun == "serve":
        return serve_until_stopped(settings)
    logs.setup("console", "WARNING")
    engine = bootstrap.open_database(settings)
    try:
        with engine.begin() as connection:
            code: int = options.function(connection, options, datetime.now(UTC))
            return code
    finally:
        engine.dispose()


def serve_until_stopped(settings: Settings) -> int:
    logs.setup(settings.log_format, settings.log_level)
    logs.hide(settings.every_secret())
    read_limit(settings)
    visitors.read_setting(settings)
    _refuse_taken_port(settings.host, settings.releases_port)  # first: a second server must not touch the first one's token
    engine = bootstrap.open_database(settings)
    bootstrap.seed(engine, settings)
    # Two processes writing one SQLite file wait by sleeping; PostgreSQL has no such limit.
    workers = settings.web_concurrency if engine.dialect.name == "postgresql" else 1
    engine.dispose()
    logs.get(__name__).info("releases.serving", host=settings.host, port=settings.releases_port, processes=workers)
    serve("releases.asgi:create", host=settings.host, port=settings.releases_port, workers=workers)
    return 0


def _refuse_taken_port(host: str, port: int) -> None:
    """The server itself would share the port, or die with a stack trace."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as problem:
        raise SettingsError([f"RELEASES_PORT {port} on {host} cannot be bound: {problem.strerror or problem}"]) from problem


def create_organization(connection: Connection, options: argparse.Namespace, now: datetime) -> int:
    _check_slug(options.slug)
    number, is_new = organizations.ensure_organization(connection, options.slug, now, options.name or "")
    return _show(options, {"id": number, "slug": options.slug, "created": is_new})


def list_organizations(connection: Connection, options: argparse.Namespace, _: datetime) -> int:
    return _show_all(options, [_plain(row, "id", "slug", "name") for row in organizations.list_organizations(connection)])


def create_project(connection: Connection, options: argparse.Namespace, now: datetime) -> int:
    _check_slug(options.slug)
    org = _organization(connection, options.org)
    number, is_new = organizations.ensure_project(connection, org, options.slug, now, options.name or "")
    return _show(options, {"id": number, "slug": options.slug, "created": is_new})


def list_projects(connection: Connection, options: argparse.Namespace, _: datetime) -> int:
    rows = organizations.list_projects(connection, _organization(connection, options.org))
    return _show_all(options, [_plain(row, "id", "slug", "name") for row in rows])


def rename_project(connection: Connection, options: argparse.Namespace, _: datetime) -> int:
    _check_slug(options.new_slug)
    try:
        done = organizations.rename_project(connection, _organization(connection, options.org), options.slug, options.new_slug)
    except sa.exc.IntegrityError:
        raise SettingsError([f"there is a project {options.new_slug!r} already"]) from None
    return _show(options, {"slug": options.new_slug}) if done else _nothing(f"there is no project {options.slug!r}")


def create_repository(connection: Connection, options: argparse.Namespace, now: datetime) -> int:
    """One that refs can name before any commit of it came; with provider and URL, sentry-cli finds it by the git remote."""
    org = _organization(connection, options.org)
    if not 1 <= len(options.name) <= 200 or not options.name.isprintable():
        raise SettingsError(["a repository's name has 1 to 200 printable characters"])
    number, is_new = organizations.ensure_repository(connection, org, options.name, options.url, options.provider, now)
    return _show(options, {"id": number, "name": options.name, "created": is_new})


def create_credential(connection: Connection, options: argparse.Namespace, now: datetime) -> int:
    org = _organization(connection, options.org)
    new = NewCredential(
        kind=options.noun,
        scopes=tuple(dict.fromkeys(options.scope or _DEFAULT_SCOPES)),
        user_id=organizations.ensure_member(connection, org, _email(options.user), now) if options.user else None,
        projects=_project_ids(connection, org, options.project) if options.project else None,
        expires_at=now + timedelta(days=_days(options.expires)) if options.expires else None,
        label="command line",
    )
    number, secret = credentials.create(connection, org, new, now)
    return _show(options, {"id": number, options.noun: secret, "scopes": list(new.scopes)})


def list_credentials(connection: Connection, options: argparse.Namespace, _: datetime) -> int:
    rows = credentials.list_all(connection, _organization(connection, options.org), options.noun)
    shown = [
        {
            **_plain(row, "id", "label"),
            "ends_with": row["hint"],
            "scopes": row["scopes"].split(),
            **{name: render_time(row[name]) for name in ("date_added", "expires_at", "revoked_at")},
        }
        for row in rows
    ]
    return _show_all(options, shown)


def revoke_credential(connection: Connection, options: argparse.Namespace, now: datetime) -> int:
    if not options.id.isdigit() or len(options.id) > 18:
        raise SettingsError([f"an id is a number, not {options.id!r}"])
    done = credentials.revoke(connection, _organization(connection, options.org), options.noun, int(options.id), now)
    if not done:
        return _nothing(f"there is no {options.noun} {options.id} that is not revoked already")
    return _show(options, {"id": int(options.id), "revoked": True})


def _nothing(what: str) -> int:
    print(f"releases: {what}", file=sys.stderr)
    return NOTHING_MATCHED


def _organization(connection: Connection, slug: str) -> int:
    found = authentication.find_organization(connection, slug)
    if found is None:
        raise SettingsError([f"there is no organization {slug!r}: make it by `org create`"])
    return found.id


def _project_ids(connection: Connection, org: int, slugs: Sequence[str]) -> list[int]:
    found = organizations.find_projects(connection, org, slugs)
    if absent := [slug for slug in slugs if slug not in found]:
        raise SettingsError([f"there is no project {slug!r}" for slug in absent])
    return sorted({row["id"] for row in found.values()})


def _check_slug(slug: str) -> None:
    if fault := organizations.slug_fault(slug):
        raise SettingsError([f"the slug {fault}"])


def _email(text: str) -> str:
    if "@" not in text or len(text) > 75 or not text.isprintable():
        raise SettingsError([f"--user takes an e-mail address, not {text[:80]!r}"])
    return text.lower()


def _days(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text[:6]) <= 36_500:
        raise SettingsError([f"--expires-days takes a whole number of days, not {text[:20]!r}"])
    return int(text)


def _plain(row: RowMapping, *names: str) -> _Row:
    return {name: row[name] for name in names}


def _show(options: argparse.Namespace, row: _Row) -> int:
    return _show_all(options, [row], single=True)


def _show_all(options: argparse.Namespace, rows: list[_Row], *, single: bool = False) -> int:
    if options.json:
        print(json.dumps(rows[0] if single else rows))
    else:
        for row in rows:
            print("  ".join(f"{name}={_word(value)}" for name, value in row.items() if value is not None))
    sys.stdout.flush()
    return 0


def _word(value: object) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)
