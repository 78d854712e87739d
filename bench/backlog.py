"""A ledger with jobs that wait, and the processes that work them off."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from bench.server import ROOT, Served
from bench.webhooks import pushes
from shared.config import rules_file
from shared.config.settings import Settings, from_env
from shared.domain.commit_range import payload_range
from shared.domain.push import Push
from shared.domain.release_plan import Listed, plan_release
from shared.domain.rules import decide
from shared.domain.webhook import Incoming
from shared.forges import PROVIDERS
from shared.infra.database import reading
from shared.ledger import deliveries
from shared.ledger.tables import jobs
from webhook.local.environment import free_port

TOKEN = "token-of-the-benchmark"
_GROUP = 500


@contextmanager
def endpoint(folder: Path, database_url: str, *, workers: int = 2) -> Iterator[str]:
    """The embedded releases endpoint; its address."""
    port = free_port()
    environ = {
        "DATA_DIR": str(folder),
        "RELEASES_PORT": str(port),
        "SENTRY_ORG": "local",
        "SENTRY_PROJECT": "app",
        "SENTRY_AUTH_TOKEN": TOKEN,
        "WEB_CONCURRENCY": str(workers),
        "RELEASES_DATABASE_URL": database_url,
    }
    with Served(["-m", "releases", "serve"], environ, port) as address:
        yield address


def environment(folder: Path, database_url: str, broker_url: str, target: str) -> dict[str, str]:
    """The worker's and the sweeper's. `target`: the address of the releases endpoint."""
    rules = folder / "tagship.toml"
    rules.write_text(
        f'[targets.main]\nurl = "{target}"\norg = "local"\ntoken_env = "BENCH_TOKEN"\npace = 1000\n\n'
        '[[rules]]\nname = "all"\nrepo = "github:*"\nrefs = ["refs/heads/main"]\ntarget = "main"\nprojects = ["app"]\n',
        encoding="utf-8",
    )
    return {
        "DATA_DIR": str(folder),
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "TAGSHIP_CONFIG": str(rules),
        "BENCH_TOKEN": TOKEN,
        "GITHUB_API_URL": "off",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "INFO",
    }


def store(engine: Engine, environ: Mapping[str, str], count: int) -> list[str]:
    """Store `count` pushes with their jobs; the jobs' ids, oldest first."""
    rules = rules_file.load(settings_of(environ))
    ids: list[str] = []
    arrived = list(pushes(count))
    for start in range(0, count, _GROUP):
        with engine.begin() as connection:
            for sample in arrived[start : start + _GROUP]:
                headers = {name.lower(): value for name, value in sample.headers.items()}
                hook = PROVIDERS["github"].read(Incoming(headers, sample.body))
                assert isinstance(hook.content, Push)
                decision = decide(hook.content, rules)
                arrival = deliveries.Arrival(
                    provider="github", hook=hook, decision=decision, headers=headers, body=sample.body, now=datetime.now(UTC)
                )
                ids += deliveries.accept(connection, arrival).jobs
    return ids


def settings_of(environ: Mapping[str, str]) -> Settings:
    return from_env(environ, is_terminal=False)


def bodies(count: int) -> list[bytes]:
    """What the worker would send for such pushes."""
    spec = {"projects": ["app"], "set_commits": "auto", "finalize": True, "environment": None}
    found = []
    for sample in pushes(count):
        push = PROVIDERS["github"].read(Incoming({k.lower(): v for k, v in sample.headers.items()}, sample.body)).content
        assert isinstance(push, Push)
        assert push.sha is not None
        listed = (Listed(push.repository.full_name, payload_range(push).commits),)
        found.append(
            json.dumps(plan_release(push, version=push.sha, spec=spec, received_at=datetime.now(UTC), listed=listed)).encode()
        )
    return found


@contextmanager
def process(command: Sequence[str], environ: Mapping[str, str], folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of our processes, up inside the block."""
    import os

    ready = folder / f"{name}.ready"
    ready.unlink(missing_ok=True)
    with (folder / f"{name}.log").open("wb") as log:
        env = {**os.environ, **environ, "TAGSHIP_READY_FILE": str(ready), "PYTHONPATH": str(ROOT)}
        started = subprocess.Popen([sys.executable, *command], cwd=folder, env=env, stderr=log)
        try:
            while not ready.exists():
                if started.poll() is not None:
                    raise RuntimeError((folder / f"{name}.log").read_text(encoding="utf-8")[-2000:])
                time.sleep(0.02)
            yield started
        finally:
            started.terminate()
            started.wait(40)


def succeeded(engine: Engine) -> int:
    statement = sa.select(sa.func.count()).select_from(jobs).where(jobs.c.status == "succeeded")
    with reading(engine).begin() as connection:
        return int(connection.execute(statement).scalar_one())
