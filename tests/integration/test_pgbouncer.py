"""Through a real PgBouncer (Debian's package), in both modes, with fewer server connections than clients want."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from releases.app import create_app
from releases.bootstrap import SCHEMA as ENDPOINT
from shared.broker import Notifier, make_celery
from shared.domain.attempt_end import failed
from shared.infra.database import make_engine, reading
from shared.ledger import claims, job_transitions
from shared.ledger.deliveries import Receipt
from shared.ledger.tables import SCHEMA, deliveries, jobs
from tests.arrivals import arrival
from tests.silent_proxy import before
from webhook.intake.group_commit import GroupCommit, accept_patiently
from webhook.intake.group_writers import open_store
from webhook.local.environment import free_port
from webhook.local.stack import accepts

PGBOUNCER = Path("/usr/sbin/pgbouncer")
pytestmark = [
    pytest.mark.world,
    pytest.mark.skipif(not PGBOUNCER.exists(), reason="no PgBouncer here: install Debian's pgbouncer"),
]
_INI = """[databases]
* = host=127.0.0.1 port={server} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
"""


@pytest.fixture(params=["transaction", "session"])
def pooled(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> Iterator[Engine]:
    """An engine of an empty database behind a pool: of two connections for transactions, of twelve for sessions."""
    name = f"pooled_{request.param}"
    owner = make_engine(postgres_url)
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    owner.dispose()
    with before(postgres_url) as (proxy, _):
        port = free_port()
        folder = tmp_path / "pgbouncer"
        folder.mkdir()
        size = 2 if request.param == "transaction" else 12
        (folder / "ini").write_text(_INI.format(server=proxy.port, port=port, mode=request.param, size=size))
        folder.chmod(0o755)
        for parent in folder.parents[:3]:
            parent.chmod(0o755)  # as root it changes to another user, who must read the file
        user = ["-u", "nobody"] if shutil.which("setpriv") and Path.home() == Path("/root") else []
        process = subprocess.Popen([PGBOUNCER, "-q", *user, str(folder / "ini")], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not accepts("127.0.0.1", port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        engine = make_engine(f"postgresql://postgres@127.0.0.1:{port}/{name}", "tagship-test")
        yield engine
        engine.dispose()
        process.terminate()
        process.wait(10)


def store(engine: Engine, number: int) -> list[Receipt]:
    """One group after another, each through the store's own connection."""

    async def run() -> list[Receipt]:
        group = GroupCommit(open_store(engine), engine, Notifier(make_celery(None)))
        found = [await group.submit(arrival(now=datetime.now(UTC))) for _ in range(number)]
        await group.close()
        return [one for one in found if isinstance(one, Receipt)]

    return asyncio.run(run())


def test_migrating_storing_claiming_and_reading_work_and_a_small_pool_only_delays(pooled: Engine) -> None:
    assert SCHEMA.upgrade(pooled) == SCHEMA.head()
    SCHEMA.check(pooled)
    with ThreadPoolExecutor(4) as pool:  # four receivers, each with a connection of its own
        told = [receipt for part in pool.map(store, [pooled] * 4, [12] * 4) for receipt in part]
    assert [receipt.status for receipt in told] == ["accepted"] * 48

    def run(receipt: Receipt) -> int:
        for job_id in receipt.jobs:
            while True:
                now = datetime.now(UTC)
                try:
                    with pooled.begin() as connection:
                        job = claims.claim(connection, job_id, now=now)
                except claims.JustBegun:
                    continue
                if job is not None:
                    break
            with pooled.begin() as connection:
                ended = failed(reason="no_rule", error="x", http_status=None)
                assert job_transitions.end(connection, job_id, job.number, ended, now=now)
        with reading(pooled).begin() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(deliveries)).scalar_one())

    with ThreadPoolExecutor(8) as pool:  # and eight threads of workers
        assert set(pool.map(run, told)) == {48}
    again = [accept_patiently(pooled, arrival(sha="f" * 40, delivery_id="twice", now=datetime.now(UTC)), 8) for _ in range(9)]
    assert [receipt.status for receipt in again] == ["accepted", *["duplicate"] * 8]
    with reading(pooled).begin() as connection:
        states = connection.execute(sa.select(jobs.c.status, sa.func.count()).group_by(jobs.c.status)).all()
    assert dict(states) == {"failed": 48, "queued": 1}


def test_two_migrate_at_once_and_nothing_of_a_session_is_left_to_others(pooled: Engine) -> None:
    others = [make_engine(pooled.url.render_as_string(hide_password=False)) for _ in range(2)]
    threads = [threading.Thread(target=SCHEMA.upgrade, args=(engine,)) for engine in others]
    SCHEMA.upgrade(others[0])  # an empty database, and one that is up to date
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with reading(pooled).begin() as connection:
        kept = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert connection.exec_driver_sql(kept).scalar_one() == 0
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "0"
    for engine in others:
        engine.dispose()


def test_the_endpoint_keeps_nothing_in_the_session(pooled: Engine) -> None:
    ENDPOINT.upgrade(pooled)
    app = create_app(pooled)
    client = app.test_client()
    assert {client.get("/healthz").status_code for _ in range(8)} == {200}
    with reading(pooled).begin() as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "0"
    app.stop()
