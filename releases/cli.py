"""The verbs of `python -m releases`: each one transaction, printed for people or as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NoReturn

import click
import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases import bootstrap
from releases.artifacts.bounds import read_settings as read_artifacts
from releases.http.rate_limit import read_limit
from releases.pages import visitors
from releases.tenancy import authentication, credentials, organizations, shared_releases
from releases.tenancy.credentials import NewCredential
from releases.validation.times import render_time
from shared import __version__
from shared.config.env_files import completed
from shared.config.settings import from_env
from shared.errors import SettingsError
from shared.infra import logs
from shared.infra.exit_codes import NOTHING_MATCHED
from shared.infra.server import check_free
from shared.infra.server import serve as serve_app
from shared.infra.visible_text import isolated

_DEFAULT_SCOPES = ("project:read",)
_AS_JSON = click.Option(["--json", "as_json"], is_flag=True, help="Print JSON.")
_Row = dict[str, Any]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tagship")
def main() -> None:
    """The embedded releases endpoint."""


def _group(name: str, meaning: str) -> click.Group:
    group = click.Group(name, help=meaning)
    main.add_command(group)
    return group


def _verb(group: click.Group, word: str, *words: str | click.Parameter) -> Callable[[Callable[..., Any]], None]:
    """Make a command of `act(connection, now, **options)`: what it returns, a row or rows, is printed once its transaction is
    over. `words`: its arguments, its options."""

    def decorate(act: Callable[..., Any]) -> None:
        def call(as_json: bool, **options: Any) -> None:
            logs.setup("console", "WARNING")
            engine = bootstrap.open_database(from_env(completed(os.environ), is_terminal=sys.stderr.isatty()))
            try:
                with engine.begin() as connection:
                    found = act(connection, datetime.now(UTC), **options)
            finally:
                engine.dispose()
            rows = found if isinstance(found, list) else [found]
            for line in [json.dumps(found)] if as_json else map(_line, rows):
                click.echo(line)

        params = [_parameter(each) if isinstance(each, str) else each for each in words]
        group.add_command(click.Command(word, params=[*params, _AS_JSON], callback=call, help=act.__doc__))

    return decorate


def _parameter(word: str) -> click.Parameter:
    return click.Option([word]) if word.startswith("--") else click.Argument([word])


ORG = _group("org", "Organizations.")
PROJECT = _group("project", "Projects.")
REPO = _group("repo", "Repositories, for `set-commits --auto`.")


@main.command()
def serve() -> None:
    """Answer HTTP until Ctrl-C."""
    settings = from_env(os.environ, is_terminal=sys.stderr.isatty())  # a server takes what its supervisor gives
    logs.setup(settings.log_format, settings.log_level)
    logs.hide(settings.every_secret())
    read_limit(settings)
    read_artifacts(settings)
    visitors.read_setting(settings)
    shared_releases.read_setting(settings)
    # First: a second server must not touch the first one's token. The server itself would share the port, or die with a trace.
    check_free("RELEASES_PORT", settings.host, settings.releases_port)
    engine = bootstrap.open_database(settings)
    bootstrap.seed(engine, settings)
    # Two processes writing one SQLite file wait by sleeping; PostgreSQL has no such limit.
    workers = settings.web_concurrency if engine.dialect.name == "postgresql" else 1
    engine.dispose()
    logs.get(__name__).info("releases.serving", host=settings.host, port=settings.releases_port, processes=workers)
    serve_app("releases.asgi:create", host=settings.host, port=settings.releases_port, workers=workers)


@_verb(ORG, "create", "slug", "--name")
def create_organization(connection: Connection, now: datetime, slug: str, name: str | None) -> _Row:
    _check_slug(slug)
    number, is_new = organizations.ensure_organization(connection, slug, now, name or "")
    return {"id": number, "slug": slug, "created": is_new}


@_verb(ORG, "list")
def list_organizations(connection: Connection, _: datetime) -> list[_Row]:
    return [_plain(row, "id", "slug", "name") for row in organizations.list_organizations(connection)]


@_verb(PROJECT, "create", "org", "slug", "--name")
def create_project(connection: Connection, now: datetime, org: str, slug: str, name: str | None) -> _Row:
    _check_slug(slug)
    number, is_new = organizations.ensure_project(connection, _organization(connection, org), slug, now, name or "")
    return {"id": number, "slug": slug, "created": is_new}


@_verb(PROJECT, "list", "org")
def list_projects(connection: Connection, _: datetime, org: str) -> list[_Row]:
    rows = organizations.list_projects(connection, _organization(connection, org))
    return [_plain(row, "id", "slug", "name") for row in rows]


@_verb(PROJECT, "rename", "org", "slug", "new_slug")
def rename_project(connection: Connection, _: datetime, org: str, slug: str, new_slug: str) -> _Row:
    _check_slug(new_slug)
    try:
        is_done = organizations.rename_project(connection, _organization(connection, org), slug, new_slug)
    except sa.exc.IntegrityError:
        raise SettingsError([f"there is a project {new_slug!r} already"]) from None
    return {"slug": new_slug} if is_done else _nothing(f"there is no project {slug!r}")


@_verb(REPO, "create", "org", "name", "--url", "--provider")
def create_repository(
    connection: Connection, now: datetime, org: str, name: str, url: str | None, provider: str | None
) -> _Row:
    """One that refs can name before any commit of it came; with provider and URL, sentry-cli finds it by the git remote."""
    owner = _organization(connection, org)
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise SettingsError(["a repository's name has 1 to 200 printable characters"])
    number, is_new = organizations.ensure_repository(connection, owner, name, url, provider, now)
    return {"id": number, "name": name, "created": is_new}


def _credential_group(kind: Literal["token", "key"], meaning: str) -> None:
    """The commands of `token` and `key`, which differ in how their secret is sent."""
    group = _group(kind, meaning)

    @_verb(
        group,
        "create",
        "org",
        "--expires-days",
        "--user",
        click.Option(["--scope"], multiple=True, type=click.Choice(credentials.SCOPES), help="May be repeated."),
        click.Option(["--project"], multiple=True, help="Only this project; may be repeated."),
    )
    def create(
        connection: Connection,
        now: datetime,
        org: str,
        expires_days: str | None,
        user: str | None,
        scope: Sequence[str],
        project: Sequence[str],
    ) -> _Row:
        owner = _organization(connection, org)
        new = NewCredential(
            kind=kind,
            scopes=tuple(dict.fromkeys(scope or _DEFAULT_SCOPES)),
            user_id=organizations.ensure_member(connection, owner, _email(user), now) if user else None,
            projects=_project_ids(connection, owner, project) if project else None,
            expires_at=now + timedelta(days=_days(expires_days)) if expires_days else None,
            label="command line",
        )
        number, secret = credentials.create(connection, owner, new, now)
        return {"id": number, kind: secret, "scopes": list(new.scopes)}

    @_verb(group, "list", "org")
    def list_all(connection: Connection, _: datetime, org: str) -> list[_Row]:
        return [
            {
                **_plain(row, "id", "label"),
                "ends_with": row["hint"],
                "scopes": row["scopes"].split(),
                **{name: render_time(row[name]) for name in ("date_added", "expires_at", "revoked_at")},
            }
            for row in credentials.list_all(connection, _organization(connection, org), kind)
        ]

    @_verb(group, "revoke", "org", click.Argument(["number"], metavar="ID"))
    def revoke(connection: Connection, now: datetime, org: str, number: str) -> _Row:
        if not number.isdigit() or len(number) > 18:
            raise SettingsError([f"an id is a number, not {number!r}"])
        if not credentials.revoke(connection, _organization(connection, org), kind, int(number), now):
            _nothing(f"there is no {kind} {number} that is not revoked already")
        return {"id": int(number), "revoked": True}


_credential_group("token", "Bearer tokens.")
_credential_group("key", "API keys: the user name of Basic, with an empty password.")


def _nothing(what: str) -> NoReturn:
    click.echo(f"releases: {isolated(what)}", err=True)
    sys.exit(NOTHING_MATCHED)


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


def _line(row: _Row) -> str:
    shown = {name: ",".join(value) if isinstance(value, list) else value for name, value in row.items() if value is not None}
    return "  ".join(f"{name}={isolated(str(value))}" for name, value in shown.items())
