"""POST /webhooks/<provider>: raw body -> verify -> read -> decide -> write down -> knock -> answer. The contract's table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, Response, current_app, jsonify, request
from sqlalchemy.engine import Engine

from shared import deliveries, log
from shared.errors import Rejected, UnknownProvider, UnsupportedBody
from shared.providers import PROVIDERS
from shared.providers.incoming import Hook, Incoming, media_type
from shared.providers.provider import Provider
from shared.push import Push
from shared.queue import Knocker
from shared.rules import Decision, Rules, decide
from shared.settings import Settings
from webhook.description import Answer, Call, Parameter, described
from webhook.problems import problem
from webhook.refusals import Refusals
from webhook.schemas import PROVIDER, ref

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
        },
    )
)
def receive(name: str) -> Response:
    """A webhook: 202, 200, or the refusal that its fault asks for."""
    door: Door = current_app.extensions["door"]
    provider, secrets = PROVIDERS.get(name), door.settings.webhook_secrets.get(name)
    if provider is None or not secrets:
        raise UnknownProvider("no such provider is configured here")
    now = datetime.now(UTC)
    headers = {key.lower(): value for key, value in request.headers.items()}
    incoming = Incoming(headers, request.get_data(cache=False))
    try:
        _check_body(provider, headers)
        provider.verify(incoming, secrets, now)
        hook = provider.read(incoming)
    except Rejected as fault:
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
    )
    return _answer(receipt)


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
@described(
    Call(
        summary="Learn how to point a provider here",
        who="anyone",
        path=(_NAME,),
        answers={},
        problems={404: _UNKNOWN, 405: "Webhooks are POSTed here; detail says where the provider wants the address."},
    )
)
def explain_door(name: str) -> Response:
    """A person who opens the address in a browser learns how to point the provider at it."""
    provider = PROVIDERS.get(name)
    if provider is None:
        raise UnknownProvider("no such provider is configured here")
    return problem(405, f"webhooks are POSTed here. {provider.hint}", {"Allow": "POST"})
