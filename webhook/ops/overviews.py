"""What API and command line show beside jobs and deliveries: releases, repositories, rules, the audit log. Writes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from sqlalchemy.engine import Connection

from shared.domain.filters import JobFilter, Page, write_cursor
from shared.domain.job_states import JobState
from shared.domain.push import Repository
from shared.domain.rules import Rules
from shared.domain.times import rfc3339
from shared.errors import NotFound
from shared.ledger import audit, identities, reconcile_runs, repositories, rollups
from shared.ledger.queries import listings
from shared.ledger.rows import AuditRow, ListedJob, ReconcileRow, RepositoryRow
from webhook.ops import overview_shapes as shapes
from webhook.ops.serializers import list_jobs, moment

RELEASE_WORDS = ("provider", "repository", "target", "warning", "since")


def list_releases(
    connection: Connection, wanted: JobFilter, page: Page
) -> tuple[list[shapes.Release], listings.Found[ListedJob]]:
    """A page of releases that are whole, newest first. One whose commits are being completed is a job that waits."""
    found = listings.list_jobs(connection, replace(wanted, status=JobState.SUCCEEDED), page)
    items: list[shapes.Release] = [
        {
            "version": job["version"],
            "target": job["target"],
            "provider": job["provider"],
            "repository": job["repository"],
            "ref": job["ref"],
            "sha": job["sha"],
            "url": job["release_url"],
            "released_at": job["updated_at"],
            "range": job["range"],
            "warnings": job["warnings"],
            "job": job["id"],
        }
        for job in list_jobs(found.rows, {}, lambda _: False)
    ]
    return items, found


def list_repositories(connection: Connection, page: Page, now: datetime) -> tuple[list[shapes.KnownRepository], str | None]:
    """A page of those that ever pushed, by name, and the cursor of the next."""
    rows = repositories.list_known(connection, after=page.after or "", limit=page.limit + 1)
    shown, more = rows[: page.limit], len(rows) > page.limit
    missing = reconcile_runs.count_missing(connection, [f"{row.provider}:{row.repository}" for row in shown])
    items = [_repository(row, missing.get(f"{row.provider}:{row.repository}"), now) for row in shown]
    return items, write_cursor("repository", shown[-1].key) if more else None


def show_repository(connection: Connection, repository: Repository, now: datetime) -> shapes.RepositoryWithTags:
    """A repository and what its last comparison with the forge found. Raises NotFound where there is neither."""
    named = identities.canonical(connection, repository)
    known, last = repositories.find(connection, named.log_key), reconcile_runs.find(connection, named)
    if known is None and last is None:
        raise NotFound(f"nothing is known of {named.key}: it never pushed, and nobody compared it")
    found = _repository(known, last.missing if last else None, now) if known is not None else _unknown(named)
    return {**found, "comparison": _comparison(last) if last is not None else None}


def list_rules(connection: Connection, rules: Rules) -> list[shapes.ListedRule]:
    """In the order in which they are tried."""
    hits = {row.label: row.number for row in rollups.of_all_time(connection) if row.series == "rules"}
    return [
        {
            "name": rule.name,
            "repo": list(rule.repos),
            "refs": list(rule.refs),
            "release": rule.release,
            "targets": list(rule.targets),
            "projects": list(rule.projects),
            "set_commits": rule.set_commits,
            "finalize": rule.finalize,
            "environment": rule.environment,
            "goes_on": rule.goes_on,
            "matched": hits.get(rule.name, 0),
        }
        for rule in rules.rules
    ]


def list_audit(connection: Connection, page: Page) -> tuple[list[shapes.AuditEntry], str | None]:
    """A page of the audit log, newest first, and the cursor of the next."""
    rows = audit.list_entries(connection, before=int(page.after) if page.after else None, limit=page.limit + 1)
    shown = rows[: page.limit]
    return [_entry(row) for row in shown], write_cursor("audit", str(shown[-1].seq)) if len(rows) > page.limit else None


def _entry(row: AuditRow) -> shapes.AuditEntry:
    return {
        "number": row.seq,
        "at": rfc3339(row.at),
        "interface": row.door,
        "role": row.role,
        "address": row.address,
        "action": row.action,
        "subject": row.subject,
        "detail": row.detail,
    }


def _repository(row: RepositoryRow, missing: int | None, now: datetime) -> shapes.KnownRepository:
    gap = repositories.usual_gap(row.pushes)
    return {
        "provider": row.provider,
        "repository": row.repository,
        "former_names": [former.name for former in identities.known_of(row).former],
        "last_push_at": moment(row.last_push_at),
        "last_version": row.last_version,
        "last_release_at": moment(row.last_release_at),
        "usual_gap_seconds": None if gap is None else round(gap.total_seconds()),
        "is_silent": row.silent_at is not None and row.silent_at < now,
        "missing": missing,
    }


def _unknown(named: Repository) -> shapes.KnownRepository:
    return {
        "provider": named.provider,
        "repository": named.full_name,
        "former_names": [],
        "last_push_at": None,
        "last_version": None,
        "last_release_at": None,
        "usual_gap_seconds": None,
        "is_silent": False,
        "missing": None,
    }


def _comparison(row: ReconcileRow) -> shapes.Comparison:
    return {
        "state": cast("Any", row.state),
        "trigger": row.trigger,
        "creates": row.creates,
        "most_tags": row.most_tags,
        "wanted_at": rfc3339(row.wanted_at),
        "compared_at": moment(row.compared_at),
        "ended_at": moment(row.ended_at),
        "tags": row.tags,
        "missing": row.missing,
        "to_create": row.to_create,
        "handled": row.handled,
        "queued": row.queued,
        "error": row.error,
        "entries": cast("list[shapes.ComparedTag]", reconcile_runs.entries_of(row)),
    }
