"""Jobs as API, command line and pages show them, where somebody asks about a few."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from shared.ledger import target_states
from shared.ledger.rows import ListedJob
from webhook.ops import serializers, shapes
from webhook.services import Services


def show(services: Services, connection: Connection, rows: Sequence[ListedJob]) -> list[shapes.Job]:
    return serializers.list_jobs(rows, target_states.find(connection), services.waits_for_broker)
