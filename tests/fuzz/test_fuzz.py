"""A short slice of `make fuzz`, and every request that ever was a finding."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import SettingsError
from tests.fuzz import mutations, servers
from tests.fuzz.__main__ import summary
from tests.fuzz.campaign import CONFIG, Campaign, read_config, read_request, write_request
from tests.fuzz.requests import FINDINGS, SAMPLES, api_call, random_of, webhook


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    made = Campaign(servers.start(tmp_path), seed=20_261)
    yield made
    made.conclude()


@pytest.mark.world
def test_a_slice_of_the_fuzz_finds_nothing(campaign: Campaign) -> None:
    for file in sorted(FINDINGS.glob("*.json")):
        campaign.replay(read_request(file.read_bytes()), file.name)
    campaign.run(payloads=1_500, calls=400, configs=300)
    report = campaign.conclude()
    assert report.findings == [], summary(report, 20_261, 0)
    assert (report.payloads, report.calls, report.configs) == (1_500, 400, 300)
    # A slice that is refused altogether would show nothing.
    for status in (200, 201, 202, 400, 401, 404, 415):
        assert report.statuses[status] > 0, report.statuses


@pytest.mark.world
def test_a_fault_is_found(campaign: Campaign, tmp_path: Path) -> None:
    """The alarm works: a server whose tables are gone answers 503, and that is a finding."""
    import sqlite3

    with sqlite3.connect(tmp_path / "tagship.sqlite3") as database:
        database.execute("DROP TABLE payloads")
    campaign.run(payloads=60, calls=0, configs=0)
    assert any("answered 503" in finding for finding in campaign.report.findings)


def test_the_same_seed_sends_the_same() -> None:
    for make in (webhook, api_call):
        for number in range(50):
            first, again = make(7, number), make(7, number)
            assert (first.method, first.target, first.body) == (again.method, again.target, again.body)
            assert read_request(write_request(first)) == first
    assert webhook(7, 1).body != webhook(8, 1).body


def test_mutations_are_odd_but_often_json() -> None:
    parsed = 0
    for number in range(300):
        random = random_of(3, "t", number)
        body = mutations.written(random, mutations.mutate_json(random, json.loads(SAMPLES[number % len(SAMPLES)][2])))
        try:
            json.loads(body)
            parsed += 1
        except (ValueError, RecursionError):
            continue
    assert 200 < parsed < 300


def test_the_sound_configuration_that_is_mutated_is_sound() -> None:
    read_config(CONFIG)
    with pytest.raises(SettingsError):
        read_config(CONFIG + "odd = 1")
