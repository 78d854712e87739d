"""`python -m webhook jobs`: look at jobs, replay, recollect and cancel them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import click

from shared.domain import filters
from shared.domain.job_states import TRANSITIONS
from shared.errors import Conflict
from shared.infra.database import reading
from shared.ledger import recollects, target_states
from shared.ledger.bulk_acts import BulkAct
from shared.ledger.queries import listings, lookup
from webhook.cli.common import (
    ACTOR,
    as_json,
    filtering,
    nothing,
    open_services,
    print_list,
    progress,
    told_why,
    watching,
    whole_id,
)
from webhook.cli.output import print_exchanges, print_facts, print_json, print_table, printable
from webhook.ops import jobs, operations, replays, serializers, short_ids
from webhook.ops.advice import WARNING_ADVICE
from webhook.services import Services

_SOURCES = {
    "log": "from the commit log",
    "api": "from the provider's API",
    "payload": "from the payload",
    "none": "from nowhere: none was found",
}
_BulkVerb = Literal["replay", "recollect"]
_MOVED = {"replay": "replayed", "recollect": "recollected", "cancel": "cancelled"}
_ACTS = {"replay": operations.replay_job, "recollect": operations.recollect_job, "cancel": operations.cancel_job}


@click.group("jobs")
def jobs_group() -> None:
    """Look at jobs, replay, recollect and cancel them."""


@jobs_group.command("list")
@filtering(*filters.JOB_WORDS, *filters.PAGE_WORDS)
@as_json
@watching
def list_jobs(words: dict[str, str], as_json: bool) -> None:
    """List jobs, newest first."""
    wanted, page = filters.read_job_filter(words, datetime.now(UTC)), filters.read_page(words, "job")
    services = open_services()
    with reading(services.engine).begin() as connection:
        found = listings.list_jobs(connection, wanted, page)
        healths = target_states.find(connection)
    items = serializers.list_jobs(found.rows, healths, services.waits_for_broker)
    columns = ("created_at", "id", "status", "attempts", "target", "repository", "version", "reason")
    print_list(
        items if as_json else told_why(items), columns, found.next_cursor, is_cut=found.is_cut, as_json=as_json, noun="job"
    )


@jobs_group.command("show")
@click.argument("job_id")
@as_json
@watching
def show_job(job_id: str, as_json: bool) -> None:
    """Show a job and its attempts, with each request to the target and its answer. Any unique ID prefix is enough."""
    services = open_services()
    with reading(services.engine).begin() as connection:
        job_id = whole_id(lambda: short_ids.whole_job_id(connection, job_id))
        (found,) = jobs.show(services, connection, [lookup.find_job(connection, job_id)])
        history = [serializers.attempt(item) for item in lookup.find_attempts(connection, job_id)]
    if as_json:
        print_json({**found, "history": history})
        return
    told = {"range": told_range(found["range"]), "waiting": told_waiting(found["waiting"]), "warnings": None}
    print_facts({**found, **told})
    for warning in found["warnings"]:
        click.echo(printable(f"warning {warning['code']}: {warning['detail']}. {WARNING_ADVICE.get(warning['code'], '')}"))
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
    again = found.get("recollected")
    changed = f"; the recollect added {again['added']} and removed {again['removed']}" if again else ""
    return f"{', '.join(parts)}; {sure}{changed}"


def told_waiting(found: Mapping[str, Any] | None) -> str | None:
    """`target_paused until 2026-03-02T12:00:00Z: it answered 503`."""
    if found is None:
        return None
    until = f" until {found['until']}" if found["until"] else ""
    return f"{found['code']}{until}: {found['detail']}"


@jobs_group.command("replay")
@click.argument("job_id", required=False)
@filtering(*filters.JOB_WORDS)
@click.option("--dry-run", is_flag=True, help="Only count.")
@as_json
def replay_jobs(job_id: str | None, words: dict[str, str], dry_run: bool, as_json: bool) -> None:
    """Replay one failed or cancelled job, or all that the options match. Any unique ID prefix is enough."""
    _move_some("replay", job_id, words, dry_run=dry_run, as_json=as_json)


@jobs_group.command("recollect")
@click.argument("job_id", required=False)
@filtering(*filters.JOB_WORDS)
@click.option("--dry-run", is_flag=True, help="Only count.")
@as_json
def recollect_jobs(job_id: str | None, words: dict[str, str], dry_run: bool, as_json: bool) -> None:
    """Collect the commit list of a release again, or of all that the options match, and send it if it differs.

    Nothing else of a release changes. Any unique ID prefix is enough.
    """
    _move_some("recollect", job_id, words, dry_run=dry_run, as_json=as_json)


def _move_some(verb: _BulkVerb, job_id: str | None, words: dict[str, str], *, dry_run: bool, as_json: bool) -> None:
    if (job_id is None) == (not words):
        raise click.UsageError("give either a job's id or at least one option that says which jobs")
    services = open_services()
    if job_id is not None:
        _move(services, job_id, verb, dry_run=dry_run, as_json=as_json)
        return
    if not any(words.values()):
        raise click.UsageError(f"give at least one option with a value: an empty one would {verb} everything")
    with reading(services.engine).begin() as connection:
        matched = replays.count(connection, words, verb)
    if dry_run:
        answer: Mapping[str, int] = {"matched": matched}
        said = f"{matched} would be {_MOVED[verb]}"
    else:
        answer = _move_all(services, verb, words, matched)
        said = f"{answer[_MOVED[verb]]} of {{matched}} queued again as replay {{replay}}; see `replays show {{replay}}`".format(
            **answer
        )
    if as_json:
        print_json(answer)
    elif answer["matched"]:
        click.echo(said)
    if not answer["matched"]:
        nothing("no failed or cancelled job matches" if verb == "replay" else "no job with a release matches")


def _move_all(services: Services, verb: _BulkVerb, words: Mapping[str, str], matched: int) -> Mapping[str, int]:
    """Whoever interrupts it learns the number by which it goes on, and can be cancelled."""
    seq, act_on = None, operations.replay_jobs if verb == "replay" else operations.recollect_jobs

    def on_step(act: BulkAct) -> None:
        nonlocal seq
        seq = act.seq
        bar.update(act.handled - bar.pos)

    try:
        with progress(matched, "queueing") as bar:
            return act_on(services, ACTOR, words, on_step)
    except KeyboardInterrupt:
        if seq is not None:
            click.echo(f"\ntagship: {verb} {seq} goes on in the sweeper; `replays cancel {seq}` stops it", err=True)
        raise


@jobs_group.command("cancel")
@click.argument("job_id")
@as_json
def cancel_job(job_id: str, as_json: bool) -> None:
    """Cancel a pending job. Any unique ID prefix is enough."""
    _move(open_services(), job_id, "cancel", dry_run=False, as_json=as_json)


def _move(services: Services, job_id: str, verb: _BulkVerb | Literal["cancel"], *, dry_run: bool, as_json: bool) -> None:
    with reading(services.engine).begin() as connection:
        job_id = whole_id(lambda: short_ids.whole_job_id(connection, job_id))
        row = lookup.find_job(connection, job_id)
        found: Mapping[str, Any] = serializers.job(row, target_states.find(connection), services.waits_for_broker)
        is_possible = verb != "recollect" or recollects.is_possible(connection, job_id)
    if not dry_run:
        found = _ACTS[verb](services, ACTOR, job_id)
    elif not is_possible or (verb == "replay" and row.status not in TRANSITIONS["replay"][0]):
        raise Conflict(f"a job that is {row.status} cannot be {_MOVED[verb]}")
    if as_json:
        print_json(found)
    else:
        settled = verb == "cancel" and found["status"] == "succeeded"
        said = "queued to be recollected" if verb == "recollect" else _MOVED[verb]
        click.echo(f"{job_id} {'would be ' if dry_run else ''}{said}{': its release stays as it is' if settled else ''}")


@click.group("replays")
def replays_group() -> None:
    """Show and cancel bulk replays and recollects, whoever started them."""


@replays_group.command("show")
@click.argument("replay", type=click.IntRange(1))
@as_json
@watching
def show_replay(replay: int, as_json: bool) -> None:
    """Show how far a bulk replay or recollect has come."""
    with reading(open_services().engine).begin() as connection:
        found = serializers.replay(replays.find_replay(connection, replay))
    if as_json:
        print_json(found)
    else:
        print_facts(found)


@replays_group.command("cancel")
@click.argument("replay", type=click.IntRange(1))
@as_json
def cancel_replay(replay: int, as_json: bool) -> None:
    """Stop a bulk replay or recollect and cancel what has not begun of it."""
    answer = operations.cancel_replay(open_services(), ACTOR, replay)
    if as_json:
        print_json(answer)
    else:
        click.echo("replay {replay}: {cancelled} jobs cancelled".format(**answer))
