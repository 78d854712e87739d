"""The pages that only look: each an address with its filter in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from flask import Response, current_app, request, url_for
from werkzeug.datastructures import MultiDict

from shared.domain import attempt_end, filters
from shared.domain.job_states import WAITING, JobState
from shared.domain.times import rfc3339
from shared.errors import BadParameter
from shared.forges.web_links import links
from shared.ledger import audit, recollects, reconcile_runs, repositories, target_states
from shared.ledger.queries import listings, lookup
from shared.ledger.rows import ListedDelivery, ListedJob
from webhook.dashboard import chart_cache, charts, formatting, queries
from webhook.dashboard.blueprint import blueprint, looking, page, services
from webhook.intake.receiver import Intake
from webhook.ops import deliveries, jobs, replays, serializers
from webhook.ops.processes import config_status
from webhook.ops.renames import count_matches
from webhook.ops.rule_warnings import warnings

PAGE = "25"
T = TypeVar("T")
NO_JOBS: listings.Found[ListedJob] = listings.Found([], None)
NO_DELIVERIES: listings.Found[ListedDelivery] = listings.Found([], None)
_MOST_UNFINISHED = 20
WITH_CALLS = 20  # of a job's newest attempts, what was sent and what came back


def chosen(known: tuple[str, ...]) -> dict[str, str]:
    """The filter's words in the address; empty ones count as absent, unknown ones are refused."""
    given: MultiDict[str, str] = request.args
    filters.check_known(given, (*known, *filters.PAGE_WORDS), "word of this filter")
    return {word: value.strip() for word, value in given.items() if value.strip()}


def filtered(
    kind: str, known: tuple[str, ...], reader: Callable[[dict[str, str], datetime], T]
) -> tuple[dict[str, str], T, filters.Page, str | None]:
    """(words, filter, page, fault) of the address. A fault says what is wrong with a word: then the words are kept for the
    form, and the filter is that of none. Raises BadParameter for a word that no form has."""
    given = chosen(known)
    try:
        return given, reader(given, formatting.now()), read_page(given, kind), None
    except BadParameter as problem:
        return given, reader({}, formatting.now()), filters.Page(), str(problem)


def answered(shown: Response, fault: str | None) -> Response:
    shown.status_code = 400 if fault else 200
    return shown


def read_page(given: dict[str, str], kind: str) -> filters.Page:
    return filters.read_page({"limit": PAGE, **given}, kind)


def older(endpoint: str, given: dict[str, str], cursor: object) -> str | None:
    values: dict[str, Any] = {**given, "cursor": str(cursor)}
    return url_for(endpoint, **values) if cursor is not None else None


def providers(given: dict[str, str]) -> list[str]:
    """Those that may send, and the one that was asked for."""
    intake: Intake = current_app.extensions["intake"]
    return sorted({*intake.keyrings, *filter(None, [given.get("provider")])})


@blueprint.get("/")
def overview() -> Response:
    with looking() as connection:
        shown = queries.read_overview(connection, services().rules, formatting.now())
        day = chart_cache.kept().read(connection, formatting.now())
    start = rfc3339(day.last - timedelta(hours=charts.HOURS - 1))
    day_shown = {"figures": day.html, "sums": day.sums, "received": day.received, "as_of": day.as_of, "since": start}
    return page("overview.html", most_groups=queries.MOST_GROUPS, **day_shown, **shown)


@blueprint.get("/deliveries")
def list_deliveries() -> Response:
    given, wanted, place, fault = filtered("delivery", filters.DELIVERY_WORDS, filters.read_delivery_filter)
    with looking() as connection:
        found = NO_DELIVERIES if fault else listings.list_deliveries(connection, wanted, place)
        told = deliveries.list_deliveries(connection, found.rows)
    shown = page(
        "deliveries.html",
        given=given,
        fault=fault,
        found=found,
        told=told,
        statuses=filters.DELIVERY_STATUSES,
        providers=providers(given),
        older=older(".list_deliveries", given, found.next_cursor),
    )
    return answered(shown, fault)


@blueprint.get("/deliveries/<any_text:delivery_id>", merge_slashes=False)
def show_delivery(delivery_id: str) -> Response:
    with looking() as connection:
        row = lookup.find_delivery(connection, delivery_id, request.args.get("provider") or None)
        made = lookup.find_jobs(connection, list(row.jobs)[:50])
        whole = deliveries.whole_delivery(connection, row)
    payload = formatting.pretty(whole["payload"]) if whole["payload"] is not None else None
    is_idle = request.args.get("replayed") == "0" and row.body is not None
    nothing = replays.why_nothing(row, services().rules) if is_idle else None
    return page("delivery.html", row=row, whole=whole, jobs=made, payload=payload, nothing=nothing)


@blueprint.get("/jobs")
def list_jobs() -> Response:
    given, wanted, place, fault = filtered("job", filters.JOB_WORDS, filters.read_job_filter)
    with looking() as connection:
        found = NO_JOBS if fault else listings.list_jobs(connection, wanted, place)
        counted = listings.count_jobs(connection)
        healths = target_states.find(connection)
    rest = {word: value for word, value in given.items() if word in filters.JOB_WORDS and word != "status"}
    shown = page(
        "jobs.html",
        given=given,
        fault=fault,
        rest=rest,
        found=found,
        counted=counted,
        failed_jobs=counted["failed"],
        told=dict(
            zip(
                (row.id for row in found.rows),
                serializers.list_jobs(found.rows, healths, services().waits_for_broker),
                strict=True,
            )
        ),
        targets=list(services().rules.targets),
        providers=providers(given),
        filtered={word: given[word] for word in filters.JOB_WORDS if word in given},
        older=older(".list_jobs", given, found.next_cursor),
    )
    return answered(shown, fault)


@blueprint.get("/jobs/<job_id>")
def show_job(job_id: str) -> Response:
    with looking() as connection:
        row = lookup.find_job(connection, job_id)
        attempts = lookup.find_attempts(connection, job_id)[-100:]
        can_recollect = recollects.is_possible(connection, job_id)
        (told,) = jobs.show(services(), connection, [row])
    waits = row.status in WAITING
    forge = services().settings.forges.get(row.provider)
    return page(
        "job.html",
        row=row,
        links=links(row.provider, forge.url, row.repository, row.ref, row.sha) if forge else None,
        can_recollect=can_recollect,
        attempts=attempts,
        calls={one.number: serializers.attempt(one) for one in attempts[-WITH_CALLS:]},
        waits=waits,
        told=told,
        dots=charts.draw_attempts(attempts, row.created_at, row.next_attempt_at if waits else None, formatting.now()),
    )


@blueprint.get("/jobs/replay")
def confirm_replay() -> Response:
    """The count first; nothing happens before the form is sent."""
    return _confirm("replay")


@blueprint.get("/jobs/recollect")
def confirm_recollect() -> Response:
    return _confirm("recollect")


def _confirm(verb: Literal["replay", "recollect"]) -> Response:
    given = chosen(filters.JOB_WORDS)
    if not given:
        raise BadParameter(f"a bulk {verb} needs at least one word of the filter")
    with looking() as connection:
        matched = replays.count(connection, given, verb)
    return page("confirm_replay.html", given=given, matched=matched, verb=verb)


@blueprint.get("/replays/<int:seq>")
def show_progress(seq: int) -> Response:
    with looking() as connection:
        replay = replays.find_replay(connection, seq)
    counted = replay["jobs"]
    done = sum(counted.get(state, 0) for state in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED))
    at_work = replay["matched"] if replay["state"] == "running" else 0  # an act that has ended took what it took
    total = max(at_work, sum(counted.values()))
    return page("progress.html", replay=replay, counted=counted, total=total, done=done)


@blueprint.get("/releases")
def list_releases() -> Response:
    given, wanted, place, fault = filtered("job", ("repository", "target", "since"), filters.read_job_filter)
    partial = replace(wanted, status=JobState.RETRYING, reason=attempt_end.PARTIAL)
    found, unfinished = NO_JOBS, None
    with looking() as connection:
        if not fault:
            found = listings.list_jobs(connection, replace(wanted, status=JobState.SUCCEEDED), place)
        if not fault and not given.get("cursor"):
            unfinished = listings.list_jobs(connection, partial, filters.Page(_MOST_UNFINISHED))
    shown = page(
        "releases.html",
        given=given,
        fault=fault,
        found=found,
        unfinished=unfinished,
        targets=list(services().rules.targets),
        older=older(".list_releases", given, found.next_cursor),
    )
    return answered(shown, fault)


@blueprint.get("/repositories")
def list_repositories() -> Response:
    after = request.args.get("after", "")[:553]
    with looking() as connection:
        rows = repositories.list_known(connection, after=after, limit=int(PAGE) + 1)
        named = {row.key: f"{row.provider}:{row.repository}" for row in rows}
        counted = reconcile_runs.count_missing(connection, list(named.values()))
    following = url_for(".list_repositories", after=rows[int(PAGE) - 1].key) if len(rows) > int(PAGE) else None
    gaps = {row.key: repositories.usual_gap(row.pushes) for row in rows}
    missing = {key: counted[name] for key, name in named.items() if name in counted}
    return page("repositories.html", rows=rows[: int(PAGE)], gaps=gaps, missing=missing, following=following, after=after)


@blueprint.get("/targets")
def list_targets() -> Response:
    with looking() as connection:
        found = queries.read_targets(connection, services().rules)
    return page("targets.html", targets=found)


@blueprint.get("/rules")
def list_rules() -> Response:
    with looking() as connection:
        hits = count_matches(connection)
        status = config_status(connection, formatting.now())
    source = services().settings.config_path
    return page(
        "rules.html",
        rules=services().rules,
        hits=hits or {},
        warnings=warnings(services().rules, hits),
        source=source.name if source else None,
        **status,
    )


@blueprint.get("/audit")
def list_audit() -> Response:
    before = request.args.get("before", "")
    if before and not (before.isascii() and before.isdigit() and len(before) < 19):
        raise BadParameter("before must be a number of this list")
    with looking() as connection:
        rows = audit.list_entries(connection, before=int(before) if before else None, limit=int(PAGE) + 1)
    following: Any = url_for(".list_audit", before=rows[int(PAGE) - 1].seq) if len(rows) > int(PAGE) else None
    return page("audit.html", rows=rows[: int(PAGE)], following=following)
