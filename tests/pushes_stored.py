"""Pushes stored as deliveries, for the commit log to read."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.engine import Engine

from shared.domain.rules import Decision, Rules, decide
from shared.domain.webhook import Incoming
from shared.forges import PROVIDERS
from shared.ledger import deliveries
from webhook.local.sample_webhooks import Sample

NOW = datetime(2026, 6, 1, tzinfo=UTC)


NOBODYS = Decision(reason="no_rule", detail="nobody wants it")


def store(engine: Engine, sample: Sample, at: datetime = NOW, rules: Rules | None = None) -> None:
    """As the receiver stores a push that no rule wants, or what these rules make of it."""
    headers = {name.lower(): value for name, value in sample.headers.items()}
    hook = PROVIDERS[sample.provider].read(Incoming(headers, sample.body))
    with engine.begin() as connection:
        deliveries.accept(
            connection,
            deliveries.Arrival(
                provider=sample.provider,
                hook=hook,
                decision=NOBODYS if rules is None else decide(hook.content, rules),
                headers=headers,
                body=sample.body,
                now=at,
            ),
        )
