"""The filler of the benchmarks leaves a ledger that the product itself could have left."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from bench.filling import fill
from shared.ledger import rollups
from shared.ledger.reporting_tables import known_repositories, tallies, tally_marks
from shared.ledger.tables import attempts, deliveries, jobs, payloads
from tests.dashboard import ledger
from tests.databases import ON_SQLITE
from webhook.app import create_app

NUMBER = 800


def all_time(engine: Engine) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    with engine.connect() as connection:
        for row in rollups.of_all_time(connection):
            found[row.series, row.label] += row.number
    return found


def test_every_table_is_filled_and_every_page_shows_it(engine: Engine) -> None:
    made = fill(engine, NUMBER)
    with engine.connect() as connection:
        for table in (deliveries, payloads, jobs, attempts):
            counted = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            assert counted == made.rows[table.name] > 0, table.name
        oldest = connection.execute(
            sa.select(sa.func.min(deliveries.c.created_at)).join(payloads, payloads.c.delivery_seq == deliveries.c.seq)
        ).scalar_one()
        orphans = connection.execute(
            sa.select(sa.func.count()).where(jobs.c.delivery_seq.not_in(sa.select(deliveries.c.seq)))
        ).scalar_one()
    assert made.rows["deliveries"] == NUMBER
    assert datetime.now(UTC) - oldest < timedelta(days=30, minutes=1)
    assert orphans == 0
    assert {"accepted", "ignored", "refused"} == set(made.deliveries)
    assert {"succeeded", "failed", "cancelled"} <= set(made.jobs)
    app = create_app(ledger.made_settings(engine), rules=ledger.rules())
    client = app.test_client()
    ledger.sign_in(client)
    shown = [f"/jobs/{job}" for job in made.jobs.values()] + [f"/deliveries/{one}" for one in made.deliveries.values()]
    for address in ("/", "/deliveries", "/jobs", "/jobs?status=failed", "/releases", "/repositories", "/audit", *shown):
        assert client.get(address).status_code == 200, address


@ON_SQLITE
def test_the_tallies_are_those_that_the_sweeper_folds(engine: Engine) -> None:
    fill(engine, 300)
    filled = all_time(engine)
    with engine.begin() as connection:
        repositories = connection.execute(sa.select(known_repositories.c.key, known_repositories.c.last_version)).all()
        for table in (tallies, tally_marks, known_repositories):
            connection.execute(sa.delete(table))
    while rollups.advance(engine, datetime.now(UTC)):
        pass
    folded = all_time(engine)
    assert filled.pop(("accept_seconds", "")) == 300
    assert folded == filled
    with engine.connect() as connection:
        again = connection.execute(sa.select(known_repositories.c.key, known_repositories.c.last_version)).all()
    assert sorted(again) == sorted(repositories)


def test_new_deliveries_go_on_after_the_filled_ones(engine: Engine) -> None:
    fill(engine, 100)
    delivery, job = ledger.accept(engine, ledger.rules())
    with engine.connect() as connection:
        seq = connection.execute(sa.select(deliveries.c.seq).where(deliveries.c.delivery_id == delivery)).scalar_one()
    assert (seq, job is not None) == (101, True)
