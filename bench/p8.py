"""P8: a tag over 10,000 commits: collect and plan them and write the body, beside the bare transfer of the same pages."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy.engine import Engine

from bench.row import Result, Side, compare
from bench.server import ROOT
from shared.config.settings import ForgeSettings
from shared.domain.push import Push, Ref, Repository
from shared.domain.release_plan import Listed, plan_release
from shared.domain.rules import CommitRules
from shared.infra.database import make_engine
from shared.infra.garbage import spare_what_lasts
from shared.infra.http_client import Deadline, call, make_client
from shared.ledger.tables import SCHEMA
from shared.targets.sentry_client import write_body
from worker.commits.forge_pool import Forges
from worker.commits.range_finder import Collector

_COMMITS = 10_000
_NAME = "acme/long"
_REQUIRED = 0.667  # as rates: a whole range takes at most one and a half times the bare transfer
_SPEC = {"projects": ["app"], "finalize": True, "set_commits": "auto", "environment": None}
_DEADLINE = 120.0


def measure(runs: int) -> list[Result]:
    spare_what_lasts()  # as a worker does
    with tempfile.TemporaryDirectory(prefix="tagship-bench-") as name:
        engine = make_engine(f"sqlite:///{Path(name) / 'ledger.sqlite3'}")
        SCHEMA.upgrade(engine)
        results = []
        for provider in ("github", "gitlab"):
            with _forge(provider) as (url, base, head), make_client() as client:
                results.append(_compare(provider, url, base, head, client, engine, runs))
        return results


def _compare(provider: str, url: str, base: str, head: str, client: httpx2.Client, engine: Engine, runs: int) -> Result:
    def ours() -> float:
        started = time.perf_counter()
        _write(provider, url, head, client, engine)
        return 1 / (time.perf_counter() - started)

    def bare() -> float:
        started = time.perf_counter()
        for address in _pages(provider, url, base, head):
            call(client, "GET", address, headers={"Authorization": "Bearer t"}, deadline=Deadline(_DEADLINE))
        return 1 / (time.perf_counter() - started)

    sides = Side(name="collect, plan, write", measure=ours), Side(name="bare transfer", measure=bare)
    result = compare("P8", f"{_COMMITS:,} commits from {provider}", "ranges/s", *sides, runs=runs, required=_REQUIRED)
    tracemalloc.start()
    size = _write(provider, url, head, client, engine)
    result.notes.update(peak_megabytes=round(tracemalloc.get_traced_memory()[1] / 1e6), body_megabytes=round(size / 1e6, 1))
    tracemalloc.stop()
    return result


def _write(provider: str, url: str, head: str, client: httpx2.Client, engine: Engine) -> int:
    """Bytes of the body that would be sent."""
    push = Push(repository=Repository(provider, _NAME), ref=Ref("refs/tags/v2.0.0"), before="0" * 40, after=head, sha=head)
    forge = Forges(client, {provider: ForgeSettings(url, "t", True)}).open(push.repository)
    rules, now = CommitRules(file_calls=0), datetime.now(UTC)
    found = Collector(engine, push, forge, rules, Deadline(_DEADLINE), now).collect()
    if len(found.commits) != _COMMITS:
        raise RuntimeError(f"{len(found.commits)} commits were found, not {_COMMITS}")
    body: dict[str, Any] = plan_release(
        push, version="v2.0.0", spec=_SPEC, received_at=now, listed=(Listed(_NAME, found.commits),)
    )
    return len(write_body(body))


def _pages(provider: str, url: str, base: str, head: str) -> Iterator[str]:
    pages = range(1, _COMMITS // 100 + 1)
    if provider == "github":
        yield from (f"{url}/repos/{_NAME}/compare/{base}...{head}?per_page=100&page={page}" for page in pages)
        yield f"{url}/repos/{_NAME}/tags?per_page=100&page=1"
        return
    project = f"{url}/api/v4/projects/{_NAME.replace('/', '%2F')}/repository"
    yield from (f"{project}/commits?ref_name={base}..{head}&per_page=100&page={page}" for page in pages)
    yield f"{project}/tags?per_page=100"


@contextmanager
def _forge(provider: str) -> Iterator[tuple[str, str, str]]:
    """The tests' forge over a real repository, in a process of its own: (address, commit of v1.0.0, commit of v2.0.0)."""
    command = [sys.executable, "-m", "tests.forge", provider, _NAME, str(_COMMITS)]
    with tempfile.TemporaryFile() as ignored:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=ignored, text=True)
        try:
            assert process.stdout is not None
            url, base, head = process.stdout.readline().split()
            yield url, base, head
        finally:
            process.terminate()
            process.wait(10)
