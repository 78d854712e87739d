"""POST /webhooks/<provider>: raw body -> verify -> read -> decide -> write down -> knock -> answer. The contract's table."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from flask import Blueprint, Response, current_app, request
from pydantic_core import to_json

from shared.domain.rules import Rules, decide
from shared.domain.webhook import Hook, Incoming, media_type
from shared.errors import (
    BadSignature,
    Rejected,
    SourceMismatch,
    TooManyRefusals,
    UnknownProvider,
    UnsupportedBody,
    forget_frames,
)
from shared.forges import PROVIDERS
from shared.forges.provider_interface import Provider
from shared.forges.reading import read_webhook
from shared.infra import asgi, logs
from shared.infra.asgi_head import HEADERS
from shared.ledger import deliveries
from webhook.http import problems
from webhook.http.problems import problem
from webhook.intake.accept_latency import AcceptTimes
from webhook.intake.group_commit import GroupCommit, Outcome
from webhook.intake.keyring import Keyring
from webhook.intake.rejections import Refusals
from webhook.intake.throttle import Throttle
from webhook.openapi.operation import Answer, Call, Parameter, described
from webhook.openapi.schema_helpers import PROVIDER, ref
from webhook.services import Notifier

blueprint = Blueprint("receive", __name__)
logger = logs.get(__name__)

# provider -> the headers, in lower case, of which a request must have one to be looked at
PROOFS = {name: frozenset(str(proof["name"]).lower() for proof in each.proofs.values()) for name, each in PROVIDERS.items()}


@dataclass(frozen=True, slots=True)
class Intake:
    """What the receiver works with. A request keeps the one that it began with: `app.put_in_force` replaces it whole."""

    rules: Rules
    notifier: Notifier
    group_commit: GroupCommit
    refusals: Refusals
    times: AcceptTimes
    keyrings: Mapping[str, Keyring]
    throttle: Throttle


_NAME = Parameter("name", PROVIDER, "The provider.")
_UNKNOWN = "No such provider is configured here."


@blueprint.post("/webhooks/<name>", strict_slashes=False)
@described(
    Call(
        summary="Take a webhook in",
        detail="What is answered 2xx is stored. The event stands in X-GitHub-Event or X-Gitlab-Event, the delivery's id in "
        "X-GitHub-Delivery, webhook-id or Idempotency-Key.",
        who="sender",
        path=(_NAME,),
        body={"type": "object", "description": "the event as the provider sends it"},
        body_types=tuple(sorted({kind for provider in PROVIDERS.values() for kind in provider.media_types})),
        answers={
            200: Answer("Nothing to do, or here before.", ref("Receipt")),
            202: Answer("Stored; its jobs wait.", ref("Receipt")),
        },
        problems={
            400: "A header is missing, or the body is not readable: detail names the field.",
            401: "The signature or token is missing or wrong.",
            404: _UNKNOWN,
            415: "Neither JSON nor the provider's form, or compressed.",
            429: "Too many requests of this sender were refused; one with a good signature never gets this.",
        },
    )
)
def receive(name: str) -> Response:
    """A webhook: 202, 200, or the refusal that its fault asks for."""
    started = time.perf_counter()
    intake: Intake = current_app.extensions["intake"]
    if name not in intake.keyrings:
        intake.throttle.note(request.remote_addr)
        raise UnknownProvider("no such provider is configured here")
    headers = request.environ.get(HEADERS) or {key.lower(): value for key, value in request.headers.items()}
    admitted = judge(intake, name, Incoming(headers, request.get_data(cache=False)), request.remote_addr)
    if isinstance(admitted, Denied):
        if admitted.write is not None:
            admitted.write()
        raise admitted.fault
    status, content_headers, body = finish(intake, admitted, store(intake, admitted.arrival), started)
    return Response(body, status=status, headers=content_headers)


def store(intake: Intake, arrival: deliveries.Arrival) -> deliveries.Receipt:
    """Store one delivery alone, in the caller's thread. Raises SQLAlchemyError."""
    receipt = intake.group_commit.store_alone(arrival)
    intake.notifier.notify(receipt.knock)
    return receipt


class Admitted(NamedTuple):
    """A delivery that is to be stored; `secret` names the one that vouched for it."""

    arrival: deliveries.Arrival
    secret: str


class Denied(NamedTuple):
    """`write` notes the refusal down, where one may wait."""

    fault: Rejected | TooManyRefusals
    write: Callable[[], None] | None = None


def judge(intake: Intake, name: str, incoming: Incoming, sender: str | None) -> Admitted | Denied:
    """Verify, read and decide. Touches nothing but the counts of refused requests."""
    provider, keyring, now = PROVIDERS[name], intake.keyrings[name], datetime.now(UTC)
    vouching: Sequence[str] = ()
    try:
        if not PROOFS[name].isdisjoint(incoming.headers):  # else verify says what is missing
            _check_body(provider, incoming.headers)
        vouching = provider.verify(incoming, keyring.secrets, now)
        hook = _bind(read_webhook(name, incoming, with_commits=False), vouching, keyring)
    except Rejected as fault:
        forget_frames(fault)
        try:
            if not vouching or isinstance(fault, BadSignature):
                intake.throttle.note(sender)
        except TooManyRefusals as too_many:
            forget_frames(too_many)
            return Denied(too_many)
        return Denied(fault, intake.refusals.remember(name, incoming.headers, fault, now))
    arrival = deliveries.Arrival(
        provider=name,
        hook=hook,
        decision=decide(hook.content, intake.rules),
        headers=provider.headers_to_keep(incoming.headers),
        body=incoming.body,
        now=now,
        sources=intake.rules.sources,
        body_digest=_digest(provider, hook, incoming.body),
    )
    return Admitted(arrival, keyring.label(vouching[0]))


def _digest(provider: Provider, hook: Hook, body: bytes) -> bytes | None:
    """A body that names no repository (an organization's ping) may come under several secrets."""
    return hashlib.sha256(body).digest() if provider.is_body_unique and hook.content.repository is not None else None


def finish(intake: Intake, admitted: Admitted, outcome: Outcome, started: float) -> asgi.Answer:
    """The answer, now that the delivery is stored or could not be."""
    if not isinstance(outcome, deliveries.Receipt):
        return problems.as_answer(problems.answer_to(outcome))
    arrival = admitted.arrival
    intake.times.note(arrival.now, time.perf_counter() - started)
    content = arrival.hook.content
    logger.info(
        "delivery.stored",
        status=outcome.status,
        provider=arrival.provider,
        delivery=outcome.delivery_id,
        hook=arrival.hook.event,
        repository=content.repository.full_name if content.repository else None,
        ref=content.ref.full if content.ref else None,
        reason=outcome.reason,
        jobs=list(outcome.jobs),
        secret=admitted.secret,
    )
    body = to_json(_say(outcome))
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return 202 if outcome.status == "accepted" else 200, headers, body


def _say(receipt: deliveries.Receipt) -> dict[str, object]:
    answer: dict[str, object] = {"delivery_id": receipt.delivery_id, "status": receipt.status}
    if receipt.status == "ignored":
        return answer | {"reason": receipt.reason, "detail": receipt.detail}
    answer["jobs"] = receipt.jobs
    if receipt.status == "duplicate":
        answer["replayed"] = receipt.replayed
    return answer


def _bind(hook: Hook, vouching: Sequence[str], keyring: Keyring) -> Hook:
    """A secret that is bound to some repositories vouches for no other; told apart from a wrong signature in our log alone."""
    if not keyring.is_bound:
        return hook
    repository = hook.content.repository
    if not keyring.speaks_for(vouching, repository.full_name if repository else None):
        raise SourceMismatch(f"{keyring.label(vouching[0])} does not speak for {repository.key if repository else '-'}")
    return replace(hook, scope=repository.full_name.lower() if repository else "-")


def _check_body(provider: Provider, headers: Mapping[str, str]) -> None:
    if headers.get("content-encoding"):
        raise UnsupportedBody("a compressed body is not read: send it without Content-Encoding")
    if media_type(headers) not in provider.media_types:
        raise UnsupportedBody(f"the content type must be {' or '.join(provider.media_types)}")


@blueprint.get("/webhooks/<name>", strict_slashes=False)
@described(
    Call(
        summary="Learn how to point a provider here",
        who="anyone",
        path=(_NAME,),
        answers={},
        problems={404: _UNKNOWN, 405: "Webhooks are POSTed here; detail says where the provider wants the address."},
    )
)
def explain_address(name: str) -> Response:
    """A person who opens the address in a browser learns how to point the provider at it."""
    provider = PROVIDERS.get(name)
    if provider is None:
        raise UnknownProvider("no such provider is configured here")
    return problem(405, f"webhooks are POSTed here. {provider.hint}", {"Allow": "POST"})
