"""Rows as the API shows them: times, what a job waits for, payloads as they were sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from shared.domain.target_health import Health, TargetState, pause_by_hand
from tests.builders import NOW
from webhook.ops import serializers

PAUSED = Health(state=TargetState.PAUSED, reason="target_paused", detail="503", paused_until=NOW)
BARRED = Health(state=TargetState.PAUSED, reason="target_auth", detail="401")
PROBED = Health(state=TargetState.PROBING, reason="target_paused", detail=None, paused_until=NOW, probe_job="mine")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (NOW, "2026-03-02T12:00:00Z"),
        (NOW + timedelta(microseconds=5), "2026-03-02T12:00:00.000005Z"),
    ],
)
def test_a_time_is_rfc_3339(value: datetime | None, text: str | None) -> None:
    assert serializers.moment(value) == text


def waiting(stored: Any, health: Health | None, job_id: str = "mine", is_broker_down: bool = False) -> Any:
    row: Any = SimpleNamespace(id=job_id, target="main", waiting=stored, next_attempt_at=NOW)
    return serializers.waiting(row, {} if health is None else {"main": health}, lambda due: is_broker_down and due == NOW)


def test_what_the_job_itself_waits_for_is_shown_as_it_is() -> None:
    stored = {"code": "rate_limited", "detail": "limited", "until": "2026-03-02T12:00:00Z"}
    assert waiting(stored, PAUSED) == stored


@pytest.mark.parametrize(
    ("health", "job_id", "shown"),
    [
        (None, "mine", None),
        (Health(failures=3), "mine", None),
        (PAUSED, "mine", {"code": "target_paused", "detail": "503", "until": "2026-03-02T12:00:00Z"}),
        (
            pause_by_hand(),
            "mine",
            {"code": "target_paused", "detail": "paused by a person", "until": None, "party": "tagship"},
        ),
        (BARRED, "mine", {"code": "target_auth", "detail": "401", "until": None}),
        (PROBED, "mine", None),  # it is the probe, so it waits for nothing
        (PROBED, "another", {"code": "target_paused", "detail": "its target is paused", "until": "2026-03-02T12:00:00Z"}),
    ],
)
def test_a_job_waits_for_its_paused_target_unless_it_is_the_probe(health: Health | None, job_id: str, shown: Any) -> None:
    assert waiting(None, health, job_id) == shown


def test_a_job_waits_for_a_broker_that_is_down_after_all_else() -> None:
    shown = waiting(None, None, is_broker_down=True)
    assert (shown["code"], shown["until"]) == ("broker_down", None)
    assert waiting(None, PAUSED, is_broker_down=True)["code"] == "target_paused"


class Row(NamedTuple):
    """A row of SQLAlchemy has the names of its columns as `_fields`, as this one has."""

    body: bytes | None
    why: list[dict[str, Any]] | None
    delivery_id: str = "d"
    provider: str = "github"
    repository: str = "acme/shop"
    event: str = "push"
    ref: str | None = None
    status: str = "accepted"
    reason: str | None = None
    detail: str | None = None
    created_at: datetime = NOW
    jobs: tuple[str, ...] = ("j",)
    headers: dict[str, str] | None = None


def delivery(body: bytes | None, why: list[dict[str, Any]] | None = None) -> Any:
    row: Any = Row(body, why)
    return serializers.whole_delivery(row)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (None, None),
        (b'{"a": 1}', {"a": 1}),
        (b"payload=%7B%22a%22%3A+1%7D", {"a": 1}),  # GitHub's form
        (b"payload=", ""),
        (b"not json", "not json"),
        (b"\xff", "\ufffd"),
        (b'{"a": 1e999}', {"a": "1e999"}),  # JSON has no word for infinity
    ],
)
def test_a_payload_is_shown_as_the_json_that_was_sent(body: bytes | None, shown: Any) -> None:
    assert delivery(body)["payload"] == shown


def test_of_the_rules_tried_the_first_that_matched_decided() -> None:
    tried = [{"rule": "a", "matched": False}, {"rule": "b", "matched": True}, {"rule": "c", "matched": True}]
    assert delivery(None, tried)["why"] == {"rules": tried, "decided": "b"}
    assert delivery(None)["why"] == {"rules": [], "decided": None}
