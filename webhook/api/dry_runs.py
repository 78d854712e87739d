"""/api/v1/explain and /api/v1/what-if: what would happen, by the rules in force or by others. Writes nothing, calls nobody."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from flask import Response, jsonify

from shared.domain.rules import Rules
from shared.errors import BadParameter, BadPayload
from shared.forges import PROVIDERS
from shared.forges.json_fields import Fields
from webhook.api.request import WRONG, blueprint, read_body, services
from webhook.openapi.operation import Answer, Call, described
from webhook.openapi.schema_helpers import PROVIDER, ref, shape, told
from webhook.ops import config_preview, explain, what_if
from webhook.ops.what_if import MOST, SECONDS, USUAL

ROOM = 4_000_000  # characters of verdicts in its answer
LONGEST_PAYLOAD = 5_000_000  # bytes; it comes back once for each target

_CONFIG = told(
    {"type": "string", "maxLength": config_preview.LONGEST},
    f"the text of a tagship.toml, no line over {config_preview.LONGEST_LINE} characters",
)
_EVENT = told(
    {"type": "string", "maxLength": 100},
    "push, tag_push, ping, ..., or as the provider's header says it; guessed from the payload where absent",
)


@blueprint.post("/explain")
@described(
    Call(
        summary="Say what a payload would do, and why",
        detail="The receiver's verdict as if the signature were good, the rules it tried, and the body that would be POSTed "
        "to each target. Nothing is written. With config by those rules, else by the rules in force.",
        who="operator",
        body=shape(
            {
                "provider": PROVIDER,
                "event": _EVENT,
                "payload": told({"type": "object"}, f"what the provider would send, up to {LONGEST_PAYLOAD} bytes"),
                "config": _CONFIG,
            },
            optional=("event", "config"),
        ),
        answers={200: Answer("The verdict.", ref("Explanation"))},
        problems={400: WRONG},
    )
)
def explain_payload() -> Response:
    body = read_body(("provider", "event", "payload", "config"))
    fields = Fields(body, "")
    provider = fields.text("provider", 40)
    if provider not in PROVIDERS:
        raise BadParameter(f"provider must be one of {', '.join(PROVIDERS)}")
    event = fields.optional_text("event", 100)
    fields.object("payload")
    rules = _rules(fields.optional_text("config", config_preview.LONGEST))
    try:
        raw = json.dumps(body["payload"], allow_nan=False).encode()
    except ValueError:
        raise BadParameter("payload: holds a number that is too large") from None
    if len(raw) > LONGEST_PAYLOAD:
        raise BadParameter(f"payload is longer than {LONGEST_PAYLOAD} bytes")
    try:
        said = explain.explain(provider, event or explain.guess_event(provider, raw), raw, rules, datetime.now(UTC))
    except BadPayload as problem:
        raise BadParameter(f"payload: {problem}") from None
    return jsonify(said.as_json())


@blueprint.post("/what-if")
@described(
    Call(
        summary="List the stored deliveries whose verdict another config would change",
        detail="Decides the newest deliveries again, from their stored payloads, and compares with what became of them. "
        f"Nothing is written. It stops after {SECONDS:.0f} seconds, or when the answer grows too long, and then says is_cut.",
        who="operator",
        body=shape(
            {
                "config": _CONFIG,
                "last": told(
                    {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
                    "how many deliveries, from the newest on",
                ),
            },
            optional=("last",),
        ),
        answers={200: Answer("What would change.", ref("WhatIf"))},
        problems={400: WRONG},
    )
)
def ask_what_if() -> Response:
    fields = Fields(read_body(("config", "last")), "")
    rules = _rules(fields.text("config", config_preview.LONGEST))
    last = fields.count("last")
    if last is not None and not 1 <= last <= MOST:
        raise BadParameter(f"last must be a whole number from 1 to {MOST}")
    end = time.monotonic() + SECONDS
    compared = what_if.compare(services().engine, rules, last or USUAL)
    return jsonify(what_if.summarise(compared, lambda: time.monotonic() < end, ROOM).as_json())


def _rules(text: str | None) -> Rules:
    """Those of the text that was given, else those in force."""
    return services().rules if text is None else config_preview.read_config(text, services().settings)
