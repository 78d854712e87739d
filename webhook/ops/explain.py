"""What a payload would do under the rules in force, down to the body that would be sent. Writes nothing, calls nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from shared.domain.commit_range import payload_range
from shared.domain.push import Push
from shared.domain.release_plan import Listed, plan_release
from shared.domain.rules import Decision, Rules, Work, decide
from shared.domain.webhook import Incoming
from shared.errors import BadPayload, UnknownProvider
from shared.forges import PROVIDERS
from webhook.ops import shapes

# The words people use for an event -> the header that the provider sends.
_EVENTS: dict[str, Mapping[str, str]] = {
    "github": {"tag_push": "push"},
    "gitlab": {"push": "Push Hook", "tag_push": "Tag Push Hook", "system": "System Hook"},
}
_HEADERS = {"github": "x-github-event", "gitlab": "x-gitlab-event"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """`status` is what the receiver would answer: accepted or ignored."""

    event: str
    repository: str | None
    ref: str | None
    decision: Decision
    releases: tuple[shapes.PlannedRelease, ...]

    @property
    def status(self) -> Literal["accepted", "ignored"]:
        return "accepted" if self.decision.work else "ignored"

    def as_json(self) -> shapes.Explanation:
        return {
            "status": self.status,
            "reason": self.decision.reason,
            "detail": self.decision.detail,
            "event": self.event,
            "repository": self.repository,
            "ref": self.ref,
            "why": [cast(shapes.RuleTried, step.as_json()) for step in self.decision.trail],
            "releases": list(self.releases),
        }


def explain(provider: str, event: str, body: bytes, rules: Rules, now: datetime) -> Explanation:
    """The receiver's verdict on this body, as if its signature were good. Raises UnknownProvider, BadPayload."""
    if provider not in PROVIDERS:
        raise UnknownProvider(f"no provider {provider!r}: known are {', '.join(PROVIDERS)}")
    header = _HEADERS.get(provider, f"x-{provider}-event")
    spelled = _EVENTS.get(provider, {}).get(event, event)
    headers = {header: spelled, "x-github-delivery": "explain", "content-type": "application/json"}
    if body.startswith(b"payload="):
        headers["content-type"] = "application/x-www-form-urlencoded"
    content = PROVIDERS[provider].read(Incoming(headers, body)).content
    decision = decide(content, rules)
    return Explanation(
        event=spelled,
        repository=content.repository.key if content.repository else None,
        ref=content.ref.full if content.ref else None,
        decision=decision,
        releases=tuple(_release(content, work, rules, now) for work in decision.work if isinstance(content, Push)),
    )


def _release(push: Push, work: Work, rules: Rules, now: datetime) -> shapes.PlannedRelease:
    """One release as it would be sent if only the payload were known; the worker adds what log and forge know."""
    target = rules.targets[work.target]
    spec = {"projects": work.projects, "finalize": work.finalize, "set_commits": work.set_commits}
    found = payload_range(push) if work.set_commits in ("auto", "payload") else None
    name = target.repositories.get(push.repository.key, push.repository.full_name)
    listed = () if work.set_commits == "skip" else (Listed(name, found.commits if found else ()),)
    return {
        "target": work.target,
        "url": target.url,
        "org": target.org,
        "rule": work.rule,
        "version": work.version,
        "set_commits": work.set_commits,
        "environment": work.environment,
        "range": cast(shapes.Range, found.as_json()) if found else None,
        "body": plan_release(push, version=work.version, spec=spec, received_at=now, listed=listed),
    }


def guess_event(provider: str, body: bytes) -> str:
    """The event when nobody said it: GitHub's bodies do not tell, GitLab's do."""
    if provider != "gitlab":
        return "push"
    if b'"tag_push"' in body:
        return "tag_push"
    if b'"push"' in body:
        return "push"
    raise BadPayload("name the event: its kind does not stand in the body")
