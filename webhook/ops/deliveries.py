"""Deliveries as API and command line show them, with what became of each: two queries more, however many they are."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from shared.ledger import target_states
from shared.ledger.queries import lookup
from shared.ledger.rows import DeliveryRow, ListedDelivery
from webhook.ops import serializers, shapes


def list_deliveries(connection: Connection, rows: Sequence[ListedDelivery]) -> list[shapes.Delivery]:
    made, healths = lookup.find_outcomes(connection, rows), target_states.find(connection)
    return [serializers.delivery(row, made, healths) for row in rows]


def whole_delivery(connection: Connection, row: DeliveryRow) -> shapes.WholeDelivery:
    return serializers.whole_delivery(row, lookup.find_outcomes(connection, [row]), target_states.find(connection))
