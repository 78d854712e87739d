"""`python -m webhook jobs`: look at jobs, replay and cancel them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy.engine import Engine

from shared.domain import filters
from shared.errors import Conflict
from shared.infra.database import reading
from shared.ledger import audit, jobs, target_states
from shared.ledger.queries import listings, lookup
from webhook.cli.common import as_json, filtering, nothing, open_tools, print_list, told_why, whole_id
from webhook.cli.output import print_exchanges, print_facts, print_json, print_table
from webhook.ops import replays, serializers
from webhook.ops.advice import ADVICE

STEP = 500  # jobs of a bulk replay that are queued in one transaction
_SOURCES = {
    "log": "from the commit log",
    "api": "from the provider's API",
    "payload": "from the payload",
    "none": "from nowhere: none was found",
}


@click.group("jobs")
def jobs_group() -> None:
    """Look at jobs, replay and cancel them."""


@jobs_group.command("list")
@filtering(*filters.JOB_WORDS, *filters.PAGE_WORDS)
@as_json
def list_jobs(words: dict[str, str], as_json: bool) -> None:
    """Newest first."""
    wanted, page = filters.read_job_filter(words, datetime.now(UTC)), filters.read_page(words, "job")
    with reading(open_tools().engine).begin() as connection:
        found = listings.list_jobs(connection, wanted, page)
        healths = target_states.find(connection)
    items = serializers.list_jobs(found.rows, healths)
    items = items if as_json else told_why(items)
    columns = ("id", "status", "attempts", "target", "repository", "version", "reason")
    print_list(items, columns, found.next_cursor, is_cut=found.is_cut, as_json=as_json, noun="job")


@jobs_group.command("show")
@click.argument("job_id")
@as_json
def show_job(job_id: str, as_json: bool) -> None:
    """One job and each of its attempts, with what was sent to the target and what came back.

    The beginning of its id is enough where no other begins so.
    """
    with reading(open_tools().engine).begin() as connection:
        job_id = whole_id(job_id, lookup.job_ids(connection, job_id), "jobs")
        row = lookup.find_job(connection, job_id)
        if row is None:
            nothing("there is no job of this id")
            return
        history = [serializers.attempt(item) for item in lookup.find_attempts(connection, job_id)]
        found = serializers.job(row, target_states.find(connection))
    if as_json:
        print_json({**found, "history": history})
        return
    print_facts({**found, "range": told_range(found["range"]), "waiting": told_waiting(found["waiting"]), **advised(found)})
    print_table(history, ("number", "trigger", "started_at", "finished_at", "outcome", "http_status", "error"), None)
    for item in history:
        print_exchanges(item)


def told_range(found: Mapping[str, Any] | None) -> str | None:
    """`3 commits, 1111111..2222222, from the commit log; proven`."""
    if found is None:
        return None
    ends = "..".join(sha[:12] for sha in (found["base"], found["head"]) if sha)
    files = "" if found["with_files"] == found["commits"] else f", {found['with_files']} with their files"
    parts = [f"{found['commits']} commit{'' if found['commits'] == 1 else 's'}{files}", ends, _SOURCES[found["source"]]]
    sure = f"partial: {found['partial']}" if found["partial"] else "proven" if found["proven"] else "not proven"
    return f"{', '.join(parts)}; {sure}"


def told_waiting(found: Mapping[str, Any] | None) -> str | None:
    """`target_paused until 2026-03-02T12:00:00Z: it answered 503`."""
    if found is None:
        return None
    until = f" until {found['until']}" if found["until"] else ""
    return f"{found['code']}{until}: {found['detail']}"


def advised(found: Mapping[str, Any]) -> dict[str, str]:
    """What a person can do about a job that failed."""
    return {"advice": ADVICE[found["reason"]]} if found["status"] == "failed" and found["reason"] in ADVICE else {}


@jobs_group.command("replay")
@click.argument("job_id", required=False)
@filtering(*filters.JOB_WORDS)
@click.option("--dry-run", is_flag=True, help="Only count.")
@as_json
def replay_jobs(job_id: str | None, words: dict[str, str], dry_run: bool, as_json: bool) -> None:
    """Queue one failed or cancelled job again, or all that the options match. The beginning of an id is enough where no
    other begins so."""
    if (job_id is None) == (not words):
        raise click.UsageError("give either a job's id or at least one option that says which jobs")
    wanted = filters.read_job_filter(words, datetime.now(UTC))
    engine = open_tools().engine
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
    """Keep a job that waits from being run. The beginning of its id is enough where no other begins so."""
    _move(open_tools().engine, job_id, jobs.cancel, "cancelled", dry_run=False, as_json=as_json)


def _move(engine: Engine, job_id: str, verb: Callable[..., bool], done: str, *, dry_run: bool, as_json: bool) -> None:
    action = {"replayed": "job_replay", "cancelled": "job_cancel"}[done]
    with (reading(engine) if dry_run else engine).begin() as connection:
        job_id = whole_id(job_id, lookup.job_ids(connection, job_id), "jobs")
        row = lookup.find_job(connection, job_id)
        if row is None:
            nothing("there is no job of this id")
            return
        is_fit = row.status in replays.REPLAYABLE if dry_run else verb(connection, job_id, now=datetime.now(UTC))
        if not is_fit:
            raise Conflict(f"a job that is {row.status} cannot be {done}")
        if not dry_run:
            audit.record(connection, door="cli", role="operator", action=action, subject=job_id)
        found = serializers.job(lookup.find_jobs(connection, [job_id])[0], target_states.find(connection))
    if as_json:
        print_json(found)
    else:
        click.echo(f"{job_id} {'would be ' if dry_run else ''}{done}")
