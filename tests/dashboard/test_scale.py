"""What a page or a call of the API reads does not grow with what is stored: in the databases' own steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import Connection, Engine

from shared.domain.ids import new_id
from shared.ledger.queries import listings, stats
from shared.ledger.reporting_tables import audit, known_repositories
from shared.ledger.tables import attempts, deliveries, jobs
from tests.dashboard import ledger

FEW, MANY = 3_000, 15_000
BEARER = {"Authorization": f"Bearer {ledger.OPERATOR}"}
MOST_ROWS = 3_000  # that one statement of a page may look at
# Filters that match little or nothing among much, each alone and together: what makes a list read everything.
CALLS = (
    "/api/v1/deliveries?provider=gitlab&status=ignored",
    "/api/v1/deliveries?repository=acme/none&limit=200",
    "/api/v1/deliveries?since=400d&status=ignored",
    "/api/v1/jobs?provider=gitlab",
    "/api/v1/jobs?status=succeeded&target=eu",
    "/api/v1/jobs?repository=acme/big&reason=target_auth&provider=gitlab",
    "/api/v1/jobs?target=main&repository=acme/none&status=succeeded",
    "/api/v1/jobs?warning=ref_differs&target=main",
    "/api/v1/jobs?status=waiting&waiting=rate_limited&repository=acme/big",
    "/api/v1/jobs?status=succeeded&replay=9",
    "/api/v1/jobs?reason=none&target=eu",
    "/api/v1/targets",
    "/api/v1/search?q=v1",
    "/api/v1/search?q=v9999",
    "/api/v1/search?q=d1",
    "/api/v1/search?q=d2999",
    "/api/v1/search?q=aaaaaaa",
    "/api/v1/search?q=a/29",
    "/api/v1/search?q=no-such-thing",
    "/api/v1/search?q=refs/tags/v1",
)
PAGES = (
    "/",
    "/deliveries",
    "/deliveries?status=refused",
    "/deliveries?provider=gitlab",
    "/deliveries?provider=github&status=ignored&repository=acme/big",
    "/deliveries?repository=acme/none",
    "/deliveries?since=1h",
    "/deliveries?since=400d&status=ignored",
    "/jobs",
    "/jobs?status=failed",
    "/jobs?status=succeeded&target=eu",
    "/jobs?repository=acme/big&reason=target_auth",
    "/jobs?reason=target_auth",
    "/jobs?target=eu",
    "/jobs?target=main&repository=acme/none&status=succeeded",
    "/jobs?since=1h&target=main",
    "/jobs?provider=gitlab",
    "/jobs?warning=not_finalized",
    "/releases",
    "/releases?target=eu&repository=acme/big",
    "/repositories",
    "/repositories/github/acme/big",
    "/targets",
    "/rules",
    "/audit",
)


def store(engine: Engine, start: int, end: int) -> None:
    """Deliveries with one succeeded job each, all of one repository: the worst that filters can meet."""
    first = datetime.now(UTC) - timedelta(days=60)
    moments = [(number, first + timedelta(minutes=5 * number)) for number in range(start, end)]
    common = {"provider": "github", "repository": "acme/big", "ref": "refs/tags/v1"}
    job: dict[str, Any] = {
        **common,
        "sha": "a" * 40,
        "target": "main",
        "spec": {"rule": "tags", "projects": [], "set_commits": "auto", "finalize": True, "environment": None},
        "status": "succeeded",
        "trigger": "webhook",
        "attempts": 1,
        "attempts_allowed": 12,
    }
    ids = [new_id(at) for _, at in moments]
    with engine.begin() as connection:
        connection.execute(
            deliveries.insert(),
            [
                {**common, "delivery_id": f"d{n}", "dedupe_key": f"d{n}", "event": "push", "status": "accepted"}
                | {"why": [], "jobs": [], "created_at": at}
                for n, at in moments
            ],
        )
        connection.execute(
            jobs.insert(),
            [
                {
                    **job,
                    "id": one,
                    "key": f"k{n}",
                    "version": f"v{n}",
                    "next_attempt_at": at,
                    "created_at": at,
                    "updated_at": at,
                }
                for one, (n, at) in zip(ids, moments, strict=True)
            ],
        )
        connection.execute(
            attempts.insert(),
            [
                {"job_id": one, "number": 1, "trigger": "webhook", "started_at": at, "finished_at": at, "outcome": "succeeded"}
                for one, (_, at) in zip(ids, moments, strict=True)
            ],
        )
        connection.execute(
            known_repositories.insert(),
            [{"key": f"github:a/{n}", "provider": "github", "repository": f"a/{n}", "pushes": []} for n, _ in moments],
        )
        connection.execute(
            audit.insert(), [{"at": at, "door": "api", "role": "operator", "action": "job_replay"} for _, at in moments]
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE")


class Steps:
    """Counts SQLite's machine steps, in hundreds, over all connections of an engine."""

    def __init__(self, engine: Engine) -> None:
        self.hundreds = 0
        sa.event.listen(engine, "connect", self._watch)

    def _watch(self, connection: Any, _: object) -> None:
        connection.set_progress_handler(self._step, 100)

    def _step(self) -> int:
        self.hundreds += 1
        return 0

    def of(self, act: Callable[[], Any]) -> int:
        before = self.hundreds
        act()
        return self.hundreds - before


@pytest.fixture
def statements(app: Flask) -> Iterator[list[tuple[str, Any]]]:
    """What the app sent to its database."""
    sent: list[tuple[str, Any]] = []
    engine: Engine = app.extensions["services"].engine

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            sent.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(engine, "before_cursor_execute", note)


def rows_looked_at(plan: dict[str, Any]) -> int:
    """Of all scans in a plan that was run."""
    here = 0
    if "Scan" in plan["Node Type"]:
        here = int((plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"])
    return here + sum(rows_looked_at(inner) for inner in plan.get("Plans", ()))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_five_times_the_rows_cost_sqlite_no_more_steps(engine: Engine, app: Flask) -> None:
    steps, client = Steps(app.extensions["services"].engine), app.test_client()
    ledger.sign_in(client)

    def taken() -> dict[str, int]:
        return {address: steps.of(partial(client.get, address, headers=BEARER)) for address in (*PAGES, *CALLS)}

    store(engine, 0, FEW)
    before = taken()
    store(engine, FEW, MANY)
    after = taken()
    grown = {address: (before[address], after[address]) for address in after if after[address] > before[address] * 1.5 + 20}
    assert grown == {}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_no_statement_of_a_page_looks_at_many_rows_of_postgresql(
    engine: Engine, operator: FlaskClient, statements: list[tuple[str, Any]]
) -> None:
    store(engine, 0, MANY)
    for address in (*PAGES, *CALLS):
        statements.clear()
        assert operator.get(address, headers=BEARER).status_code == 200, address
        with engine.connect() as connection:
            for statement, parameters in list(statements):
                assert looked_at(connection, statement, parameters) <= MOST_ROWS, (address, statement)


def looked_at(connection: Connection, statement: str, parameters: Any) -> int:
    explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters).scalar_one()
    return rows_looked_at((json.loads(explained) if isinstance(explained, str) else explained)[0]["Plan"])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_walks_the_right_index_also_where_what_matches_stands_far_behind(
    engine: Engine, app: Flask, operator: FlaskClient, statements: list[tuple[str, Any]]
) -> None:
    """Half of the rows match, all of them older than the rest: it expects one every other row, and would walk thousands."""
    store(engine, 0, MANY)
    half = sa.select(jobs.c.id).order_by(jobs.c.id).offset(MANY // 2).limit(1)
    with engine.begin() as connection:
        middle = connection.execute(half).scalar_one()
        warned = [{"code": "ref_differs", "detail": "the target keeps another ref"}]
        old = {"status": "failed", "repository": "acme/old", "target": "old", "reason": "target_auth", "warnings": warned}
        connection.execute(jobs.update().where(jobs.c.id < middle).values(old))
        connection.execute(jobs.update().where(jobs.c.id >= middle).values(status="queued"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE jobs")
    some = ("status=failed", "repository=acme/old", "target=old", "reason=target_auth", "warning=ref_differs")
    for words in (*some, "status=failed&provider=gitlab"):
        statements.clear()
        assert operator.get(f"/api/v1/jobs?{words}", headers=BEARER).status_code == 200
        with engine.connect() as connection:
            for statement, parameters in list(statements):
                assert looked_at(connection, statement, parameters) <= MOST_ROWS, (words, statement)
    with app.extensions["services"].engine.connect() as connection:
        statements.clear()
        stats.oldest_waiting_at(connection)
        listings.count_jobs(connection)
        assert len(statements) > 6
        for statement, parameters in list(statements):
            assert looked_at(connection, statement, parameters) <= MOST_ROWS, statement
