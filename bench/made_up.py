"""The made-up rows of `bench/filling.py`: what a team of some hundred repositories sends, and what became of it."""

from __future__ import annotations

import itertools
import json
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.ids import new_id
from shared.infra.http_client import Answer
from shared.targets.http_exchanges import Exchanges
from webhook.local.sample_webhooks import SampleCommit, github_push, gitlab_push

_HEAD = "@" * 40  # where the commit's id goes in a repository's payload
# Of a hundred deliveries, about as many of each kind as a rule for tags and default branches makes.
_KINDS = {"tag": 22, "branch": 33, "branch_not_matched": 34, "ping": 1, "event_ignored": 4, "ref_deleted": 5, "refused": 1}
_MOST_REFUSED = 1_000  # that the product keeps
_EVENTS = {"ping": "ping", "event_ignored": "issues"}
_DETAILS = {
    "branch_not_matched": "no rule for this repository wants the branch",
    "ping": "a ping",
    "event_ignored": "only pushes make releases",
    "ref_deleted": "the ref was deleted",
    "signature_wrong": "the signature is wrong",
}
_ENDS = {"succeeded": 955, "failed": 25, "cancelled": 20}
_FRESH_ENDS = {"succeeded": 60, "retrying": 15, "queued": 20, "failed": 5}
_FAULTS = (("project_unknown", 400, 1), ("target_auth", 403, 1), ("attempts_exhausted", 503, 12))
_RANGE = {"source": "log", "base": "1" * 40, "head": "2" * 40, "commits": 3, "with_files": 3, "partial": None, "proven": True}


def _exchanged(status: int) -> dict[str, Any] | None:
    """A POST of three commits and its answer, as an attempt keeps them: the same for all, since nobody measures zlib here."""
    commit = {"id": "c" * 40, "message": "Count in cents", "author_name": "Ada", "repository": "team/service"}
    kept = Exchanges()
    kept.add(
        method="POST",
        url="https://sentry.example.com/api/0/organizations/acme/releases/",
        headers={"Authorization": "Bearer made-up", "X-Request-Id": "0" * 36, "Content-Type": "application/json"},
        body=json.dumps({"version": "v1.0.0", "projects": ["shop-web"], "commits": [commit] * 3}).encode(),
        answer=Answer(status, {"content-type": "application/json"}, json.dumps({"version": "v1.0.0", "id": 1}).encode()),
        error=None,
        token="made-up",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        milliseconds=120,
    )
    return kept.as_json()


_EXCHANGED = {status: _exchanged(status) for status in (201, 400, 403, 503)}


@dataclass(slots=True, kw_only=True)
class Delivery:
    """Rows by table, as dictionaries."""

    at: datetime
    sha: str
    delivery: dict[str, Any]
    jobs: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)


class Team:
    """Makes deliveries one after another; few repositories send much, many send little."""

    def __init__(self, targets: Sequence[str], repository_count: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._targets = list(targets)
        self._repositories = [
            ("gitlab" if number % 10 < 3 else "github", f"team-{number % 23}/service-{number}")
            for number in range(repository_count)
        ]
        self._weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(repository_count)))
        self._kinds, self._kind_weights = list(_KINDS), list(itertools.accumulate(_KINDS.values()))
        self._refused = 0
        self._bodies: dict[str, bytes] = {}

    def delivery(self, seq: int, at: datetime, *, is_fresh: bool, is_recent: bool) -> Delivery:
        """`is_fresh`: so new that some of its jobs still wait; `is_recent`: what its attempts sent is still kept."""
        draw = self._random
        provider, repository = draw.choices(self._repositories, cum_weights=self._weights)[0]
        kind = draw.choices(self._kinds, cum_weights=self._kind_weights)[0]
        if kind == "refused":
            self._refused += 1
            kind = "refused" if self._refused <= _MOST_REFUSED else "branch_not_matched"
        has_work = kind in ("tag", "branch")
        status = "accepted" if has_work else "refused" if kind == "refused" else "ignored"
        reason = None if has_work else "signature_wrong" if kind == "refused" else kind
        name = str(uuid.UUID(int=draw.getrandbits(128)))
        ref = self._ref(kind, seq) if kind in ("tag", "branch", "branch_not_matched", "ref_deleted") else None
        made = Delivery(
            at=at,
            sha=f"{draw.getrandbits(160):040x}",
            delivery={
                "seq": seq,
                "delivery_id": name,
                "dedupe_key": None if kind == "refused" else name,
                "provider": provider,
                "event": _EVENTS.get(kind, "push"),
                "repository": None if kind in ("refused", "ping") else repository,
                "ref": ref,
                "status": status,
                "reason": reason,
                "detail": _DETAILS[reason] if reason else None,
                "why": None if kind == "refused" else self._why(kind, ref) if ref else [],
                "jobs": [],
                "created_at": at,
                "to_log": False,
            },
        )
        if has_work:
            self._add_job(made, seq, is_fresh, is_recent)
        return made

    def payload(self, one: Delivery) -> dict[str, Any]:
        provider, repository = one.delivery["provider"], one.delivery["repository"] or "acme/none"
        headers = {"content-type": "application/json", "user-agent": "GitHub-Hookshot/b0a1c2d", "x-github-event": "push"}
        return {
            "delivery_seq": one.delivery["seq"],
            "headers": headers | {"x-github-delivery": one.delivery["delivery_id"], "x-hub-signature-256": "***"},
            "body": self._body(provider, repository).replace(_HEAD.encode(), one.sha.encode()),
        }

    def _ref(self, kind: str, seq: int) -> str:
        if kind == "tag":
            return f"refs/tags/v{seq // 1_000}.{seq % 1_000}.0"
        return "refs/heads/main" if kind == "branch" else f"refs/heads/topic-{seq % 5_000}"

    def _why(self, kind: str, ref: str) -> list[dict[str, Any]]:
        """Two rules in the words of `shared/domain/rules.py`."""
        if kind == "ref_deleted":
            return []
        tags = {"rule": "tags", "matched": kind == "tag", "compared": ref}
        if kind == "tag":
            return [tags | {"outcome": f"release {ref.rpartition('/')[2]} at {self._targets[0]}"}]
        branch = {"rule": "default branch", "matched": kind == "branch", "compared": ref}
        said = f"release it at {self._targets[0]}" if kind == "branch" else "ref is not refs/heads/{default_branch}"
        return [tags | {"outcome": "ref is not refs/tags/*"}, branch | {"outcome": said}]

    def _add_job(self, one: Delivery, seq: int, is_fresh: bool, is_recent: bool) -> None:
        draw, delivery = self._random, one.delivery
        ends = _FRESH_ENDS if is_fresh else _ENDS
        status = draw.choices(list(ends), weights=list(ends.values()))[0]
        fault, http_status, tries = draw.choice(_FAULTS)
        number = {"succeeded": draw.choice((1,) * 28 + (2, 3)), "failed": tries, "retrying": draw.randint(1, 5)}.get(status, 0)
        job_id = new_id(one.at)
        is_tag = delivery["ref"].startswith("refs/tags/")
        target = self._targets[0] if len(self._targets) == 1 or draw.random() < 0.85 else draw.choice(self._targets[1:])
        self._add_attempts(one, job_id, number, status, http_status, is_recent)
        ended = one.attempts[-1]["finished_at"] if one.attempts else one.at
        said = f"the target '{target}' answered {http_status}"
        one.jobs.append(
            {
                "id": job_id,
                "key": f"{draw.getrandbits(256):064x}",
                "delivery_seq": seq,
                "delivery_id": delivery["delivery_id"],
                "provider": delivery["provider"],
                "repository": delivery["repository"],
                "ref": delivery["ref"],
                "sha": one.sha,
                "target": target,
                "version": delivery["ref"].rpartition("/")[2] if is_tag else one.sha,
                "spec": {
                    "rule": "tags" if is_tag else "default branch",
                    "projects": ["shop-web", "shop-api"],
                    "set_commits": "auto",
                    "finalize": True,
                    "environment": None,
                },
                "status": status,
                "trigger": "retry" if number > 1 else "webhook",
                "attempts": number,
                "attempts_allowed": 12,
                "next_attempt_at": ended + timedelta(hours=1) if status == "retrying" else one.at,
                "knock_at": ended + timedelta(hours=1) if status in ("retrying", "queued") else one.at,
                "lease_until": None,
                "reason": fault if status == "failed" else None,
                "error": said if status in ("failed", "retrying") else None,
                "outcome": "created" if status == "succeeded" else None,
                "release_url": f"https://sentry.example.com/organizations/acme/releases/{seq}/"
                if status == "succeeded"
                else None,
                "range": _RANGE if status == "succeeded" else None,
                "waiting": None,
                "deploy": None,
                "created_at": one.at,
                "updated_at": ended,
            }
        )
        delivery["jobs"].append(job_id)

    def _add_attempts(self, one: Delivery, job_id: str, number: int, status: str, http_status: int, is_recent: bool) -> None:
        at = one.at
        for tried in range(1, number + 1):
            at += timedelta(milliseconds=30)
            ended = at + timedelta(milliseconds=self._random.randint(20, 900))
            is_last = tried == number
            outcome = "retry" if not is_last or status == "retrying" else status
            failed = outcome != "succeeded"
            answered = http_status if failed and is_last else 503 if failed else 201
            one.attempts.append(
                {
                    "job_id": job_id,
                    "number": tried,
                    "trigger": "webhook" if tried == 1 else "retry",
                    "started_at": at,
                    "finished_at": ended,
                    "outcome": outcome,
                    "http_status": answered,
                    "error": "the target answered 503" if failed else None,
                    "exchanges": _EXCHANGED[answered] if is_recent else None,
                }
            )
            at = ended + timedelta(seconds=1)

    def _body(self, provider: str, repository: str) -> bytes:
        """A push of three commits, the same for a repository but for its head."""
        if repository not in self._bodies:
            made = [
                SampleCommit(f"Change {n} of {repository}\n\nWith a body that says why.", modified=["src/till.py", "README.md"])
                for n in range(2)
            ]
            listed = [*made, SampleCommit("Count in cents", added=["src/cents.py"], id=_HEAD)]
            push = github_push if provider == "github" else gitlab_push
            self._bodies[repository] = json.dumps(push(repository=repository, ref="refs/heads/main", commits=listed)).encode()
        return self._bodies[repository]
