"""Sends one webhook as a provider would, signed with the secret that speaks for its repository, and follows its jobs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2

from shared.domain.job_states import JobState
from shared.domain.push import Repository
from shared.errors import BadParameter, NotFound
from shared.forges import PROVIDERS
from shared.infra.database import reading
from shared.infra.http_client import Deadline, call
from shared.ledger import identities, push_history, target_states
from shared.ledger.queries import lookup
from webhook.intake.keyring import make_keyrings
from webhook.local.sample_webhooks import (
    ZERO,
    Sample,
    SampleCommit,
    github_push,
    gitlab_push,
    repository_number,
    sha,
    sign_github,
    sign_gitlab,
)
from webhook.ops import explain, serializers, shapes
from webhook.services import Services

SAMPLES = ("tag", "branch")
REPOSITORY = "acme/shop"
_ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
_ANSWER_SECONDS = 15.0
_LOOK_SECONDS = 0.2
_SIGNERS: dict[str, Callable[..., Sample]] = {"github": sign_github, "gitlab": sign_gitlab}
_PUSHES: dict[str, Callable[..., dict[str, Any]]] = {"github": github_push, "gitlab": gitlab_push}


@dataclass(frozen=True, slots=True)
class Answered:
    """What the receiver said: an HTTP status and its JSON object, `{"status", "delivery_id", "jobs", ...}` or a problem."""

    http_status: int
    said: dict[str, Any]

    @property
    def jobs(self) -> list[str]:
        return [one for one in self.said.get("jobs") or () if isinstance(one, str)]


def make_samples(services: Services, kind: str, provider: str, repository: str, name: str | None, now: datetime) -> list[bytes]:
    """Bodies of made-up pushes, in order: three commits to a branch (`main`), or those and a tag on the last (`v0.0.SECONDS`).

    They follow what was last pushed to the branch, or make it.

    The commits are new ones each time, so that nothing is taken for a push that came before.
    """
    stamp = int(now.timestamp())
    commits = [
        SampleCommit(f"Sample commit {number} of {now:%Y-%m-%d %H:%M:%S.%f}", minute=number, modified=["shop.py"])
        for number in (1, 2, 3)
    ]
    push = _PUSHES[provider]
    branch = name if kind == "branch" and name else "main"
    before = _head(services, Repository(provider, repository, id=repository_number(repository)), f"refs/heads/{branch}")
    made = [push(repository=repository, ref=f"refs/heads/{branch}", commits=commits, before=before)]
    if kind == "tag":
        ref = f"refs/tags/{name or f'v0.0.{stamp}'}"
        made.append(push(repository=repository, ref=ref, commits=commits[-1:], after=sha(f"tag object {now}")))
    return [json.dumps(one).encode() for one in made]


def _head(services: Services, repository: Repository, ref: str) -> str:
    with reading(services.engine).begin() as connection:
        pushed = push_history.last_pushes(connection, identities.locate(connection, repository).log_key)
    return next((one.sha for one in pushed if one.ref == ref), None) or ZERO


def guess_provider(body: bytes) -> str:
    """The provider whose payloads look like this one: GitLab's say their kind in the body."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise BadParameter("the payload is no JSON") from None
    return "gitlab" if isinstance(content, dict) and "object_kind" in content else "github"


def sign(services: Services, provider: str, body: bytes, event: str | None) -> Sample:
    """The request that the provider would send. Raises BadParameter where no secret here speaks for the repository."""
    keyring = make_keyrings(services.settings, services.rules.sources).get(provider)
    word = event or explain.guess_event(provider, body)
    key = explain.explain(provider, word, body, services.rules, datetime.now(UTC)).repository
    secret = keyring.secret_for(key and key.partition(":")[2]) if keyring is not None else None
    if secret is None:
        raise BadParameter(f"no webhook secret for {key or provider} is set here")
    known = PROVIDERS[provider]
    return _SIGNERS[provider](body, secret, event=known.events.get(word, word))


def post(client: httpx2.Client, url: str, sample: Sample) -> Answered:
    """Raises TransientError when nobody answers."""
    answer = call(client, "POST", url, headers=dict(sample.headers), body=sample.body, deadline=Deadline(_ANSWER_SECONDS))
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = {}
    return Answered(answer.status, said if isinstance(said, dict) else {})


def follow(services: Services, ids: Sequence[str], seconds: float) -> Iterator[shapes.Job]:
    """Each job whenever its status, or what it waits for, has changed; ends when all have ended or the time is up.

    Raises NotFound where this ledger has no such job: the receiver works with another database.
    """
    shown: dict[str, tuple[Any, ...]] = {}
    end = time.monotonic() + seconds
    while True:
        jobs = _look(services, ids)
        for job in jobs:
            said = (job["waiting"]["code"],) if job["waiting"] else (job["status"], job["error"])
            if shown.get(job["id"]) != said:
                shown[job["id"]] = said
                yield job
        if all(has_ended(job) for job in jobs) or time.monotonic() >= end:
            return
        time.sleep(_LOOK_SECONDS)


def has_ended(job: shapes.Job) -> bool:
    """Whether a person need wait no longer: also where the release is there and its commit list is completed later."""
    return job["status"] in _ENDED or job["release_url"] is not None


def _look(services: Services, ids: Sequence[str]) -> list[shapes.Job]:
    with reading(services.engine).begin() as connection:
        rows = {row.id: row for row in lookup.find_jobs(connection, list(ids))}
        if absent := [one for one in ids if one not in rows]:
            raise NotFound(f"job {absent[0]} is not in the database that this command reads")
        healths = target_states.find(connection)
    return [serializers.job(rows[one], healths, services.waits_for_broker) for one in ids]
