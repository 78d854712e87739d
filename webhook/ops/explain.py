"""What a payload would do under the rules in force, down to the body that would be sent. Writes nothing, calls nobody."""

from __future__ import annotations

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
from shared.forges.provider_interface import Provider
from shared.forges.reading import read_webhook
from webhook.ops import shapes, trial_shapes


@dataclass(frozen=True, slots=True)
class Explanation:
    """`status` is what the receiver would answer: accepted or ignored."""

    event: str
    repository: str | None
    ref: str | None
    decision: Decision
    releases: tuple[trial_shapes.PlannedRelease, ...]

    @property
    def status(self) -> Literal["accepted", "ignored"]:
        return "accepted" if self.decision.work else "ignored"

    def as_json(self) -> trial_shapes.Explanation:
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
    sender = _known(provider)
    spelled = sender.events.get(event, event)
    headers = {sender.event_header: spelled, sender.id_header: "explain", "content-type": "application/json"}
    if body.startswith(b"payload="):
        headers["content-type"] = "application/x-www-form-urlencoded"
    content = read_webhook(provider, Incoming(headers, body)).content
    decision = decide(content, rules)
    return Explanation(
        event=spelled,
        repository=content.repository.key if content.repository else None,
        ref=content.ref.full if content.ref else None,
        decision=decision,
        releases=tuple(_release(content, work, rules, now) for work in decision.work if isinstance(content, Push)),
    )


def _release(push: Push, work: Work, rules: Rules, now: datetime) -> trial_shapes.PlannedRelease:
    """One release as it would be sent if only the payload were known; the worker adds what log and forge know."""
    target = rules.targets[work.target]
    spec = {"projects": work.projects, "finalize": work.finalize, "set_commits": work.set_commits}
    found = payload_range(push) if work.set_commits in ("auto", "payload") else None
    name = target.repositories.get(push.repository.key.lower(), push.repository.full_name)
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
    """The event's word when nobody said it. Raises UnknownProvider, and BadPayload where the body does not tell."""
    if (found := _known(provider).guess_event(body)) is None:
        raise BadPayload("name the event: its kind does not stand in the body")
    return found


def _known(provider: str) -> Provider:
    if provider not in PROVIDERS:
        raise UnknownProvider(f"no provider {provider!r}: known are {', '.join(PROVIDERS)}")
    return PROVIDERS[provider]
