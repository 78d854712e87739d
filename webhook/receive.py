"""POST /webhooks/<provider>: raw body -> verify -> read -> decide -> write down -> knock -> answer. The contract's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from flask import Blueprint, Response, current_app, jsonify, request
from sqlalchemy.engine import Engine

from shared import deliveries, log
from shared.errors import BadSignature, Rejected, UnknownProvider, UnsupportedBody
from shared.providers import PROVIDERS
from shared.providers.incoming import Hook, Incoming, media_type
from shared.providers.provider import Provider
from shared.push import Push
from shared.queue import Knocker
from shared.rules import Decision, Rules, decide
from shared.settings import Settings
from webhook.keyring import Keyring
from webhook.problems import problem
from webhook.refusals import Refusals
from webhook.throttle import Throttle

blueprint = Blueprint("receive", __name__)
logger = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Door:
    """What the receiver works with; built once by `create_app`."""

    settings: Settings
    rules: Rules
    engine: Engine
    knocker: Knocker
    refusals: Refusals
    keyrings: Mapping[str, Keyring]
    throttle: Throttle


@blueprint.post("/webhooks/<name>", strict_slashes=False)
def receive(name: str) -> Response:
    """A webhook: 202, 200, or the refusal that its fault asks for."""
    door: Door = current_app.extensions["door"]
    provider, keyring = PROVIDERS.get(name), door.keyrings.get(name)
    if provider is None or keyring is None:
        door.throttle.note(request.remote_addr)
        raise UnknownProvider("no such provider is configured here")
    now = datetime.now(UTC)
    headers = {key.lower(): value for key, value in request.headers.items()}
    incoming = Incoming(headers, request.get_data(cache=False))
    vouching: Sequence[str] = ()
    try:
        _check_body(provider, headers)
        vouching = provider.verify(incoming, keyring.secrets, now)
        hook = _bind(provider.read(incoming), vouching, keyring)
    except Rejected as fault:
        if not vouching or isinstance(fault, BadSignature):
            door.throttle.note(request.remote_addr)
        door.refusals.remember(name, headers, fault, now)
        raise
    decision = _decide(hook, door.rules)
    with door.engine.begin() as connection:
        receipt = deliveries.accept(
            connection, provider=name, hook=hook, decision=decision, headers=headers, body=incoming.body, now=now
        )
    door.knocker.knock(receipt.knock)
    logger.info(
        "delivery.stored",
        status=receipt.status,
        provider=name,
        delivery=receipt.delivery_id,
        hook=hook.event,
        repository=hook.content.repository.full_name if hook.content.repository else None,
        ref=hook.content.ref.full if hook.content.ref else None,
        reason=receipt.reason,
        jobs=list(receipt.jobs),
        secret=keyring.label(vouching[0]),
    )
    return _answer(receipt)


def _bind(hook: Hook, vouching: Sequence[str], keyring: Keyring) -> Hook:
    """A secret that is bound to some repositories vouches for no other; told apart from a wrong signature in our log alone."""
    if not keyring.is_bound:
        return hook
    repository = hook.content.repository
    if not keyring.speaks_for(vouching, repository.full_name if repository else None):
        raise BadSignature(f"{keyring.label(vouching[0])} does not speak for {repository.key if repository else '-'}")
    return replace(hook, scope=repository.full_name.lower() if repository else "-")


def _check_body(provider: Provider, headers: dict[str, str]) -> None:
    if headers.get("content-encoding"):
        raise UnsupportedBody("a compressed body is not read: send it without Content-Encoding")
    if media_type(headers) not in provider.media_types:
        raise UnsupportedBody(f"the content type must be {' or '.join(provider.media_types)}")


def _decide(hook: Hook, rules: Rules) -> Decision:
    if isinstance(hook.content, Push):
        return decide(hook.content, rules)
    return Decision(reason=hook.content.reason, detail=hook.content.detail)


def _answer(receipt: deliveries.Receipt) -> Response:
    answer: dict[str, object] = {"delivery_id": receipt.delivery_id, "status": receipt.status}
    if receipt.status == "ignored":
        answer |= {"reason": receipt.reason, "detail": receipt.detail}
    else:
        answer["jobs"] = list(receipt.jobs)
    if receipt.status == "duplicate":
        answer["replayed"] = list(receipt.replayed)
    response = jsonify(answer)
    response.status_code = 202 if receipt.status == "accepted" else 200
    return response


@blueprint.get("/webhooks/<name>", strict_slashes=False)
def explain_door(name: str) -> Response:
    """A person who opens the address in a browser learns how to point the provider at it."""
    provider = PROVIDERS.get(name)
    if provider is None:
        raise UnknownProvider("no such provider is configured here")
    return problem(405, f"webhooks are POSTed here. {provider.hint}", {"Allow": "POST"})
