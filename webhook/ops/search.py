"""Search: everything that a version, tag, branch, commit, repository or id names. One step from "I pushed v1.4.2" to why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection

from shared.domain.names import is_storable
from shared.errors import BadParameter
from shared.ledger.queries import lookup, search
from shared.ledger.rows import ListedDelivery
from webhook.ops import jobs, serializers, shapes
from webhook.ops.deliveries import list_deliveries
from webhook.services import Services

MOST = 25  # hits of an answer
LONGEST = 1_024  # characters: of a ref
_SHORTEST_SHA = 7
_HEX = re.compile(r"[0-9a-f]+")
_HEADS = ("refs/tags/", "refs/heads/")
_NOTHING = (
    "Nothing that is stored has this name. GitHub sends no webhook for a push of more than three tags, and hooks get switched "
    "off: compare the repository with its provider (its page, or `python -m webhook reconcile REPO --dry-run`)."
)


@dataclass(slots=True)
class _Found:
    """Keys in the order in which they are to be shown: (what matched, whether it is the whole of it)."""

    jobs: dict[str, tuple[str, bool]] = field(default_factory=dict)
    deliveries: dict[int, tuple[str, bool]] = field(default_factory=dict)
    is_cut: bool = False


def find(services: Services, connection: Connection, words: str) -> shapes.Search:
    """What these words name, exact names first, then beginnings, each the newest first. Raises BadParameter."""
    asked = read_words(words)
    hits: list[shapes.SearchHit] = []
    seen: set[object] = set()
    is_cut = False
    for is_whole in (True, False):
        if len(hits) >= MOST:
            break
        found = _keys(connection, asked, is_whole=is_whole)
        is_cut |= found.is_cut
        for key, hit in _hits(services, connection, found):
            if key not in seen:
                seen.add(key)
                hits.append(hit)
        hits += _repositories(connection, asked, is_whole=is_whole, seen=seen)
    advice = None if hits else _NOTHING + _refusals(connection)
    return {"items": hits[:MOST], "is_cut": is_cut or len(hits) > MOST, "advice": advice}


def read_words(words: str) -> str:
    """Without blanks around. Raises BadParameter."""
    asked = words.strip()
    if not asked or len(asked) > LONGEST or not is_storable(asked):
        raise BadParameter(f"q must be 1 to {LONGEST} characters: a version, tag, branch, commit, repository or id")
    return asked


def _keys(connection: Connection, asked: str, *, is_whole: bool) -> _Found:
    found, most = _Found(), MOST + 1
    of_jobs, deliveries = found.jobs, found.deliveries

    def take(into: dict[Any, tuple[str, bool]], keys: Sequence[Any], matched: str) -> None:
        found.is_cut |= len(keys) >= most
        for key in keys:
            into.setdefault(key, (matched, is_whole))

    take(of_jobs, _job_ids(connection, asked, is_whole), "job_id")
    take(deliveries, lookup.delivery_seqs(connection, asked, is_whole=is_whole), "delivery_id")
    take(of_jobs, search.jobs_of_version(connection, asked, is_whole=is_whole, limit=most), "version")
    for ref in [asked] if asked.startswith("refs/") else [head + asked for head in _HEADS]:
        take(deliveries, search.deliveries_of_ref(connection, ref, is_whole=is_whole, limit=most), "ref")
        take(of_jobs, search.loose_jobs_of_ref(connection, ref, is_whole=is_whole, limit=most), "ref")
    sha = asked.lower()
    if _HEX.fullmatch(sha) and _SHORTEST_SHA <= len(sha) <= 64 and is_whole == (len(sha) in (40, 64)):
        take(deliveries, search.deliveries_of_commit(connection, sha, limit=most), "commit")
        take(of_jobs, search.loose_jobs_of_commit(connection, sha, limit=most), "commit")
    return found


def _job_ids(connection: Connection, asked: str, is_whole: bool) -> list[str]:
    """Job ids begin with their time, so that a short beginning names very many."""
    if not _HEX.fullmatch(asked) or is_whole != (len(asked) == 32):
        return []
    return lookup.job_ids(connection, asked)


def _hits(services: Services, connection: Connection, found: _Found) -> Iterator[tuple[object, shapes.SearchHit]]:
    """A delivery that was found by its ref or commit is shown as its jobs, where it has any."""
    rows = search.list_deliveries(connection, list(found.deliveries))
    of_jobs: dict[str, tuple[str, bool]] = dict(found.jobs)
    for row in rows:
        for job_id in row.jobs[: lookup.MOST_OUTCOMES] if found.deliveries[row.seq][0] != "delivery_id" else ():
            of_jobs.setdefault(job_id, found.deliveries[row.seq])
    listed = search.list_jobs(connection, list(of_jobs))
    shown = {job["id"]: job for job in jobs.show(services, connection, listed)}
    alone = [row for row in rows if _is_shown(row, found.deliveries[row.seq][0], shown)]
    told = dict(zip((row.seq for row in alone), list_deliveries(connection, alone), strict=True))
    dated: list[tuple[Any, object, shapes.SearchHit]] = []
    for job in listed:
        dated.append((job.created_at, job.id, _hit("job", *of_jobs[job.id], job=shown[job.id])))
    for row in alone:
        dated.append((row.created_at, row.seq, _hit("delivery", *found.deliveries[row.seq], delivery=told[row.seq])))
    for _, key, hit in sorted(dated, key=lambda one: one[0], reverse=True):
        yield key, hit


def _is_shown(row: ListedDelivery, matched: str, jobs: dict[str, shapes.Job]) -> bool:
    return matched == "delivery_id" or not any(job_id in jobs for job_id in row.jobs)


def _repositories(connection: Connection, asked: str, *, is_whole: bool, seen: set[object]) -> Iterator[shapes.SearchHit]:
    provider, _, name = asked.rpartition(":")
    for row in search.repositories(connection, name, is_whole=is_whole, limit=MOST):
        if provider in ("", row.provider) and row.key not in seen:
            seen.add(row.key)
            yield _hit("repository", "repository", is_whole, repository=f"{row.provider}:{row.repository}")


def _hit(
    kind: str,
    matched: str,
    exact: bool,
    *,
    job: shapes.Job | None = None,
    delivery: shapes.Delivery | None = None,
    repository: str | None = None,
) -> shapes.SearchHit:
    found: dict[str, object] = {"kind": kind, "matched": matched, "exact": exact}
    return {**found, "job": job, "delivery": delivery, "repository": repository}  # type: ignore[typeddict-item]


def _refusals(connection: Connection) -> str:
    """What was refused has no ref, since whose it is was never proven."""
    row = search.newest_refusal(connection)
    if row is None:
        return ""
    when = serializers.moment(row.created_at)
    return f" The newest refused request came at {when} ({row.reason}: {row.detail}): see the deliveries with status refused."
