"""What the operators' commands share: settings become services, filters become options, an id may be shortened."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click

from shared.config import rules_file
from shared.config.env_files import completed
from shared.config.settings import Settings, from_env
from shared.errors import BadParameter, Conflict
from shared.infra import logs
from shared.infra.database import make_engine
from shared.infra.exit_codes import NOTHING_MATCHED
from shared.ledger.queries.listings import SCAN
from shared.ledger.tables import SCHEMA
from webhook.cli.output import print_json, print_table, printable
from webhook.openapi.filter_parameters import MEANING
from webhook.ops.acts import Actor
from webhook.services import LeaveToSweeper, Services

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


_WATCH_SECONDS = 2.0
ACTOR = Actor(door="cli")


def read_settings(config_file: Path | None = None) -> Settings:
    """The environment's settings, with another file of rules and targets if one is given."""
    settings = from_env(completed(os.environ), is_terminal=sys.stderr.isatty())
    return replace(settings, config_path=config_file) if config_file is not None else settings


def open_services(config_file: Path | None = None) -> Services:
    """What a command works with. It reaches no broker: the sweeper finds what is queued here."""
    settings = read_settings(config_file)
    # A person at a terminal reads what the command prints; the log is for whoever collects stderr.
    logs.setup(settings.log_format, "WARNING" if sys.stderr.isatty() else settings.log_level)
    rules = rules_file.load(settings)
    engine = make_engine(settings.database_url, "tagship-cli")
    SCHEMA.check(engine)
    return Services(
        settings=settings, rules=rules, engine=engine, notifier=LeaveToSweeper(), is_broker_down=_Broker(settings).is_down
    )


class _Broker:
    """Asked only by a command that shows a job which is due and has not begun."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.broker_url

    def is_down(self) -> bool:
        if self._url is None:
            return False
        from shared.broker import BrokerWatch, make_celery  # Celery: as much as all the rest of the command line

        return BrokerWatch(make_celery(self._url)).is_down()


def progress(length: int, label: str) -> Any:
    """A bar on stderr where a person looks at it."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def watching(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --watch: the command again every two seconds, on a cleared screen, until Ctrl-C."""

    @wraps(command)
    def call(*, watch: bool, **given: Any) -> None:
        while True:
            try:
                if watch and sys.stdout.isatty():
                    click.clear()
                command(**given)
            except SystemExit as end:
                if not watch or end.code != NOTHING_MATCHED:
                    raise
            if not watch:
                return
            sys.stdout.flush()
            time.sleep(_WATCH_SECONDS)

    return click.option("--watch", is_flag=True, help="Again every two seconds, until Ctrl-C.")(call)


def filtering(*words: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The filter's words as options; the command gets them as one dict of those that were given."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def call(**given: Any) -> None:
            chosen = {word: value for word in words if (value := given.pop(word)) is not None}
            try:
                command(words=chosen, **given)
            except BadParameter as problem:
                raise click.UsageError(str(problem)) from None

        for word in reversed(words):
            call = click.option(f"--{word}", help=MEANING[word])(call)
        return call

    return decorate


def print_list(
    items: Sequence[Mapping[str, Any]], columns: Sequence[str], following: str | None, *, is_cut: bool, as_json: bool, noun: str
) -> None:
    """A page of a list. Ends with exit code 3 when nothing matches; not where there is more that was not looked at."""
    if as_json:
        print_json({"items": items, "next_cursor": following})
    else:
        print_table(items, columns, following)
    if is_cut:
        click.echo(f"tagship: only {SCAN:,} rows were looked at; go on with --cursor {following}", err=True)
    elif not items:
        nothing(f"no {noun} matches")


def told_why(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For a table: jobs whose `reason` also says what they wait for, what their last attempt met, and their warnings."""
    return [{**item, "reason": _why(item)} for item in items]


def _why(item: Mapping[str, Any]) -> str | None:
    if item["waiting"] is not None:
        return f"waits: {item['waiting']['code']}"
    why = item["reason"] or (item["error"] if item["status"] != "succeeded" else None)
    warned = ", ".join(warning["code"] for warning in item["warnings"])
    return "; ".join(filter(None, (why, warned and f"warns: {warned}"))) or None


def whole_id(find: Callable[[], str]) -> str:
    """What a lookup by a shortened id finds. Raises click.UsageError when it begins several."""
    try:
        return find()
    except Conflict as problem:
        raise click.UsageError(printable(str(problem))) from None


def nothing(what: str) -> NoReturn:
    click.echo(f"tagship: {what}", err=True)
    sys.exit(NOTHING_MATCHED)
