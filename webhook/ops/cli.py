"""`python -m webhook jobs|deliveries|targets`: what the API does, in a terminal. Works without broker and receiver.

What is queued here the sweeper knocks for. Exit codes: 0 done, 1 failed, 2 wrong use or configuration, 3 nothing matched.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click
from sqlalchemy.engine import Engine

from shared import audit, config, counts, filters, finding, jobs, replays, target_states, views
from shared.db import make_engine, reading
from shared.errors import BadParameter, Conflict
from shared.exits import NOTHING_MATCHED
from shared.listing import all_targets
from shared.local_env import completed
from shared.models import SCHEMA
from shared.rules import Rules
from shared.settings import from_env
from webhook.ops.table import print_exchanges, print_facts, print_json, print_table
from webhook.ops.words import MEANING

MIGRATE = "python -m webhook db upgrade"
STEP = 500  # jobs of a bulk replay that are queued in one transaction

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@dataclass(frozen=True, slots=True)
class Tools:
    engine: Engine
    rules: Rules


def _tools() -> Tools:
    settings = from_env(completed(os.environ), is_terminal=sys.stderr.isatty())
    rules = config.load(settings)
    engine = make_engine(settings.database_url)
    SCHEMA.check(engine, remedy=MIGRATE)
    return Tools(engine, rules)


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


def nothing(what: str) -> None:
    click.echo(f"tagship: {what}", err=True)
    sys.exit(NOTHING_MATCHED)


@click.group("jobs")
def jobs_group() -> None:
    """Look at jobs, replay and cancel them."""


@jobs_group.command("list")
@filtering(*filters.JOB_WORDS, *filters.PAGE_WORDS)
@as_json
def list_jobs(words: dict[str, str], as_json: bool) -> None:
    """Newest first."""
    wanted, page = filters.read_job_filter(words, datetime.now(UTC)), filters.read_page(words, "job")
    with reading(_tools().engine).begin() as connection:
        rows, following = finding.list_jobs(connection, wanted, page)
        healths = target_states.find(connection)
    items = [views.job(row, healths) for row in rows]
    if as_json:
        print_json({"items": items, "next_cursor": following})
    else:
        print_table(items, ("id", "status", "attempts", "target", "repository", "version", "reason"), following)
    if not items:
        nothing("no job matches")


@jobs_group.command("show")
@click.argument("job_id")
@as_json
def show_job(job_id: str, as_json: bool) -> None:
    """One job and each of its attempts, with what was sent to the target and what came back."""
    with reading(_tools().engine).begin() as connection:
        row = finding.find_job(connection, job_id)
        if row is None:
            nothing("there is no job of this id")
            return
        history = [views.attempt(item) for item in finding.find_attempts(connection, job_id)]
        found = views.job(row, target_states.find(connection))
    if as_json:
        print_json({**found, "history": history})
        return
    print_facts(found)
    print_table(history, ("number", "trigger", "started_at", "finished_at", "outcome", "http_status", "error"), None)
    for item in history:
        print_exchanges(item)


@jobs_group.command("replay")
@click.argument("job_id", required=False)
@filtering(*filters.JOB_WORDS)
@click.option("--dry-run", is_flag=True, help="Only count.")
@as_json
def replay_jobs(job_id: str | None, words: dict[str, str], dry_run: bool, as_json: bool) -> None:
    """Queue one failed or cancelled job again, or all that the options match."""
    if (job_id is None) == (not words):
        raise click.UsageError("give either a job's id or at least one option that says which jobs")
    wanted = filters.read_job_filter(words, datetime.now(UTC))
    engine = _tools().engine
    if job_id is not None:
        _move(engine, job_id, jobs.replay, "replayed", dry_run=dry_run, as_json=as_json)
        return
    with reading(engine).begin() as connection:
        matched = replays.count(connection, wanted)
    if not dry_run and matched:
        replayed = _replay_in_steps(engine, wanted, matched)
        said = f"{replayed} of {matched} queued again; the sweeper feeds them out at the pace of their targets"
        answer = {"matched": matched, "replayed": replayed}
    else:
        said, answer = f"{matched} would be replayed" if dry_run else "0 matched", {"matched": matched}
    if as_json:
        print_json(answer)
    elif matched:
        click.echo(said)
    if not matched:
        nothing("no failed or cancelled job matches")


def _replay_in_steps(engine: Engine, wanted: filters.JobFilter, matched: int) -> int:
    """In short transactions, so that no worker waits for us; a bar on stderr where a person looks at it."""
    done = 0
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=matched, label="queueing", file=sys.stderr, hidden=hidden) as bar:
        while done < matched:
            with engine.begin() as connection:
                queued = replays.replay_all(connection, wanted, now=datetime.now(UTC), limit=min(STEP, matched - done))
                if queued:
                    audit.record(connection, door="cli", role="operator", action="jobs_replay", detail={"replayed": queued})
            if not queued:
                break  # someone else was faster with the rest
            done += queued
            bar.update(queued)
    return done


@jobs_group.command("cancel")
@click.argument("job_id")
@as_json
def cancel_job(job_id: str, as_json: bool) -> None:
    """Keep a job that waits from being run."""
    _move(_tools().engine, job_id, jobs.cancel, "cancelled", dry_run=False, as_json=as_json)


def _move(engine: Engine, job_id: str, verb: Callable[..., bool], done: str, *, dry_run: bool, as_json: bool) -> None:
    action = {"replayed": "job_replay", "cancelled": "job_cancel"}[done]
    with (reading(engine) if dry_run else engine).begin() as connection:
        row = finding.find_job(connection, job_id)
        if row is None:
            nothing("there is no job of this id")
            return
        is_fit = row.status in replays.REPLAYABLE if dry_run else verb(connection, job_id, now=datetime.now(UTC))
        if not is_fit:
            raise Conflict(f"a job that is {row.status} cannot be {done}")
        if not dry_run:
            audit.record(connection, door="cli", role="operator", action=action, subject=job_id)
        found = views.job(finding.find_jobs(connection, [job_id])[0], target_states.find(connection))
    if as_json:
        print_json(found)
    else:
        click.echo(f"{job_id} {'would be ' if dry_run else ''}{done}")


@click.group("deliveries")
def deliveries_group() -> None:
    """Look at webhooks that came in, decide one again."""


@deliveries_group.command("list")
@filtering(*filters.DELIVERY_WORDS, *filters.PAGE_WORDS)
@as_json
def list_deliveries(words: dict[str, str], as_json: bool) -> None:
    """Newest first."""
    wanted, page = filters.read_delivery_filter(words, datetime.now(UTC)), filters.read_page(words, "delivery")
    with reading(_tools().engine).begin() as connection:
        rows, following = finding.list_deliveries(connection, wanted, page)
    items = [views.delivery(row) for row in rows]
    if as_json:
        print_json({"items": items, "next_cursor": following})
    else:
        print_table(items, ("created_at", "id", "provider", "status", "repository", "ref", "reason"), following)
    if not items:
        nothing("no delivery matches")


@deliveries_group.command("show")
@click.argument("delivery_id")
@click.option("--provider", help=MEANING["provider"])
@as_json
def show_delivery(delivery_id: str, provider: str | None, as_json: bool) -> None:
    """One delivery: why it became what, its jobs, its payload (with --json)."""
    with reading(_tools().engine).begin() as connection:
        row = finding.find_delivery(connection, delivery_id, provider)
        if row is None:
            nothing("there is no delivery of this id")
            return
        healths = target_states.find(connection)
        made = [views.job(job, healths) for job in finding.find_jobs(connection, list(row.jobs))]
    if as_json:
        print_json(views.whole_delivery(row))
        return
    print_facts(views.delivery(row))
    print_table(row.why or [], ("rule", "matched", "compared", "outcome"), None)
    print_table(made, ("id", "status", "attempts", "target", "version", "reason", "error"), None)


@deliveries_group.command("replay")
@click.argument("delivery_id")
@click.option("--provider", help=MEANING["provider"])
@as_json
def replay_delivery(delivery_id: str, provider: str | None, as_json: bool) -> None:
    """Decide it again by today's rules; jobs are made only for what has not succeeded."""
    tools = _tools()
    with tools.engine.begin() as connection:
        row = finding.find_delivery(connection, delivery_id, provider)
        if row is None:
            nothing("there is no delivery of this id")
            return
        made = replays.replay_delivery(connection, row, tools.rules, now=datetime.now(UTC))
        done = {"jobs": made}
        audit.record(connection, door="cli", role="operator", action="delivery_replay", subject=delivery_id, detail=done)
    if as_json:
        print_json({"jobs": made})
    else:
        click.echo("\n".join(made) if made else "nothing to do: all of it has succeeded or is under way, or no rule wants it")


@click.group("targets")
def targets_group() -> None:
    """Look at the targets, pause and resume them."""


@targets_group.command("list")
@as_json
def list_targets(as_json: bool) -> None:
    """Each target, how it fares and how many jobs wait for it."""
    tools = _tools()
    with reading(tools.engine).begin() as connection:
        items = all_targets(connection, tools.rules)
    if as_json:
        print_json({"items": items})
    else:
        print_table(items, ("name", "state", "waiting_jobs", "paused_until", "reason", "detail", "url"), None)


@targets_group.command("pause")
@click.argument("name")
def pause_target(name: str) -> None:
    """Send it nothing until it is resumed."""
    _set_target(name, target_states.pause, "paused")


@targets_group.command("resume")
@click.argument("name")
def resume_target(name: str) -> None:
    """Send to it again."""
    _set_target(name, target_states.resume, "resumed")


def _set_target(name: str, verb: Callable[..., None], done: str) -> None:
    tools = _tools()
    with tools.engine.begin() as connection:
        known = name in tools.rules.targets or name in counts.waiting_by_target(connection)
        if known:
            verb(connection, name, now=datetime.now(UTC))
            action = {"paused": "target_pause", "resumed": "target_resume"}[done]
            audit.record(connection, door="cli", role="operator", action=action, subject=name)
    if not known:
        nothing(f"there is no target {name!r}; known are {', '.join(tools.rules.targets)}")
    click.echo(f"{name} {done}")


GROUPS = (jobs_group, deliveries_group, targets_group)
