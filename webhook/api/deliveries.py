"""/api/v1/deliveries: what came in, why it became what it did, and deciding one again."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response, jsonify

from shared.domain import filters
from shared.infra.database import reading
from shared.ledger.queries import listings, lookup
from webhook.api.request import CUT, REUSED, SHORTENED, WRONG, acting, actor, blueprint, read_body, services, words
from webhook.openapi.filter_parameters import parameters
from webhook.openapi.operation import Answer, Call, Parameter, described
from webhook.openapi.schema_helpers import DELIVERY_ID, TEXT, page_of, ref, several, shape
from webhook.ops import deliveries, operations, short_ids

_ID = Parameter("delivery_id", DELIVERY_ID, "The provider's own id, percent-encoded.")
_PROVIDER = Parameter("provider", TEXT, "Where two providers used the same id: of this one.")
_MISSING = "No delivery with this ID."


@blueprint.get("/deliveries")
@described(
    Call(
        summary="List deliveries, newest first",
        detail=CUT,
        who="viewer",
        query=parameters(filters.DELIVERY_WORDS + filters.PAGE_WORDS, filters.DELIVERY_STATUSES),
        answers={200: Answer("A page of deliveries.", page_of("Delivery"))},
        problems={400: WRONG},
    )
)
def list_deliveries() -> Response:
    given = words(filters.DELIVERY_WORDS + filters.PAGE_WORDS)
    wanted, page = filters.read_delivery_filter(given, datetime.now(UTC)), filters.read_page(given, "delivery")
    with reading(services().engine).begin() as connection:
        found = listings.list_deliveries(connection, wanted, page)
        items = deliveries.list_deliveries(connection, found.rows)
    return jsonify({"items": items, "next_cursor": found.next_cursor})


@blueprint.get("/deliveries/<any_text:delivery_id>", merge_slashes=False)
@described(
    Call(
        summary="Show one delivery: headers, payload, and why it became what it did",
        who="viewer",
        path=(_ID,),
        query=(_PROVIDER,),
        answers={200: Answer("The delivery.", ref("WholeDelivery"))},
        problems={400: WRONG, 404: _MISSING, 409: SHORTENED},
    )
)
def show_delivery(delivery_id: str) -> Response:
    with reading(services().engine).begin() as connection:
        delivery_id = short_ids.whole_delivery_id(connection, delivery_id, _provider())
        return jsonify(deliveries.whole_delivery(connection, lookup.find_delivery(connection, delivery_id, _provider())))


@blueprint.post("/deliveries/<any_text:delivery_id>/replay", merge_slashes=False)
@described(
    acting(
        "Decide a delivery again by today's rules",
        Answer("The jobs that now wait.", shape({"jobs": several(TEXT), "detail": TEXT}, optional=("detail",))),
        path=_ID,
        missing=_MISSING,
        detail="Jobs are made only for what has not succeeded. None is 202 all the same; detail says if no rule wants one.",
        query=(_PROVIDER,),
        conflict=f"The payload is gone. {REUSED}",
    )
)
def replay_delivery(delivery_id: str) -> tuple[Response, int]:
    read_body(())
    return jsonify(operations.replay_delivery(services(), actor(), delivery_id, _provider())), 202


def _provider() -> str | None:
    return words(("provider",)).get("provider") or None
