"""Compares a forge's tags with the ledger and the targets, and queues the releases that are missing.

GitHub and GitLab send no webhook when one push holds more than three tags, and hooks get switched off: what no webhook
told us is found here. Running it twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared import deliveries
from shared.db import reading
from shared.errors import BadParameter, PermanentError
from shared.http import Deadline
from shared.models import jobs
from shared.providers import PROVIDERS
from shared.providers.fields import is_full_name
from shared.providers.forge import ForgeAccess, Tag
from shared.push import Push, Ref, Repository
from shared.rules import Rules, Work, decide
from shared.sentry import SentryClient
from shared.settings import Settings
from shared.states import Trigger
from shared.tag_order import read_tag

_LIST_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Missing:
    """A release that a target lacks. `why`: the job's reason or state, or missed_webhook when there is no job."""

    tag: str
    sha: str
    work: Work
    why: str

    def as_json(self) -> dict[str, Any]:
        return {
            "tag": self.tag,
            "sha": self.sha,
            "target": self.work.target,
            "version": self.work.version,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """`refused` are tags that no rule wants or whose version Sentry refuses: {"tag", "reason", "detail"}."""

    repository: Repository
    tags: int
    missing: tuple[Missing, ...]
    refused: tuple[dict[str, Any], ...]


def read_repository(text: str) -> Repository:
    """`github:acme/web` as a value. Raises BadParameter."""
    provider, _, name = text.partition(":")
    if provider not in PROVIDERS or not is_full_name(name):
        raise BadParameter(f"REPO must be provider:full name, such as github:acme/web, not {text!r}")
    return Repository(provider, name)


def compare(
    repository: Repository, settings: Settings, rules: Rules, engine: Engine, client: httpx2.Client, limit: int | None
) -> Comparison:
    """Which releases of the repository's tags are missing where, oldest first; the newest `limit` tags only, if given.

    Raises PermanentError, TransientError: the forge or a target does not answer.
    """
    tags = _tags(repository, settings, client)
    ordered = sorted(tags, key=lambda tag: read_tag(tag.name).order)[-limit if limit else None :]
    known = _jobs(engine, repository)
    versions: dict[str, set[str]] = {}
    missing: list[Missing] = []
    refused: list[dict[str, Any]] = []
    for tag in ordered:
        decision = decide(_push(repository, tag), rules)
        if not decision.work:
            refused.append({"tag": tag.name, "reason": decision.reason, "detail": decision.detail})
        for work in decision.work:
            if work.target not in versions:
                versions[work.target] = _client(rules, work.target, settings, client).list_versions(Deadline(_LIST_SECONDS))
            if work.version not in versions[work.target]:
                missing.append(Missing(tag.name, tag.sha, work, known.get((work.target, tag.name, tag.sha), "missed_webhook")))
    return Comparison(repository, len(tags), tuple(missing), tuple(refused))


def queue(comparison: Comparison, engine: Engine, trigger: Trigger, now: Callable[[], datetime]) -> Iterator[str | None]:
    """Queue what is missing, one transaction each, oldest first; yields the job's id, or None where it waits already."""
    for item in comparison.missing:
        push = _push(comparison.repository, Tag(item.tag, item.sha))
        with engine.begin() as connection:
            job_id, waits = deliveries.adopt(connection, push, item.work, trigger, now())
        yield job_id if waits else None


def _tags(repository: Repository, settings: Settings, client: httpx2.Client) -> list[Tag]:
    forge = settings.forges.get(repository.provider)
    if forge is None:
        raise PermanentError(f"the API of {repository.provider} is switched off", reason="repository_unknown")
    access = ForgeAccess(client=client, base_url=forge.url, token=forge.token)
    return PROVIDERS[repository.provider].open_forge(access).tags(repository.full_name, "", Deadline(_LIST_SECONDS))


def _client(rules: Rules, name: str, settings: Settings, client: httpx2.Client) -> SentryClient:
    target = rules.targets[name]
    token = settings.secret(target.token_env)
    if token is None:
        raise PermanentError(f"{target.token_env}, the token of the target {name!r}, is not set", reason="target_auth")
    return SentryClient(client, target, token)


def _push(repository: Repository, tag: Tag) -> Push:
    zero = "0" * len(tag.sha)
    return Push(repository=repository, ref=Ref(f"refs/tags/{tag.name}"), before=zero, after=tag.sha, sha=tag.sha)


def _jobs(engine: Engine, repository: Repository) -> Mapping[tuple[str, str, str], str]:
    """{(target, tag, sha): what its job says} of the ledger's jobs for tags of this repository."""
    statement = sa.select(jobs.c.target, jobs.c.ref, jobs.c.sha, jobs.c.status, jobs.c.reason).where(
        jobs.c.provider == repository.provider, jobs.c.repository == repository.full_name, jobs.c.ref.like("refs/tags/%")
    )
    with reading(engine).begin() as connection:
        return {
            (row.target, row.ref.removeprefix("refs/tags/"), row.sha): row.reason or row.status
            for row in connection.execute(statement)
        }
