"""Backfill of real projects through the test forge, held against `git rev-list` by the definition of docs/decisions/0008.

Needs mirrors, which the tree does not hold: bare repositories, named in TAGSHIP_TEST_MIRRORS with `:` between them.
    TAGSHIP_TEST_MIRRORS=/mirrors/flask.git:/mirrors/redis.git make test-world
"""

from __future__ import annotations

import os
import statistics
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.config.settings import ForgeSettings
from shared.domain.job_states import WAITING
from shared.domain.push import Repository as Named
from shared.domain.rules import CommitRules, ReconcileRules, Rules
from shared.domain.tag_names import read_tag
from shared.domain.tag_order import Kind, TagName
from shared.infra.database import make_engine
from shared.ledger import recollects, reconcile_runs
from shared.ledger.tables import SCHEMA
from shared.ledger.tables import jobs as job_table
from shared.reconcile import Comparer
from tests.builders import settings
from tests.forge import Forge
from tests.forge.git import git, lines
from tests.forge.repository import Repository
from tests.forge_run import runner
from tests.migrated import migrate
from tests.target import Target
from tests.worker_run import make_due, row, rules
from worker.jobs.runner import Runner
from worker.sweeper.reconcile_schedule import Timer
from worker.sweeper.reconciler import Comparing

MIRRORS = [Path(name) for name in os.environ.get("TAGSHIP_TEST_MIRRORS", "").split(os.pathsep) if name]
FIRST = 20  # commits of a release that nothing precedes
NAME = "acme/mirror"

pytestmark = [pytest.mark.world, pytest.mark.timeout(3_600)]


@dataclass
class Mirror:
    """A project's tags by name, and what each of them reaches, as bits of an integer."""

    path: Path
    place: dict[str, int] = field(default_factory=dict)

    @cached_property
    def tags(self) -> dict[str, tuple[str, int]]:
        """{name: (commit, its committer's time)}."""
        commits = {tag.name: tag.commit for tag in Repository(self.path).tags() if tag.commit is not None}
        stdin = "".join(f"{sha}\n" for sha in commits.values()).encode()
        told = git(self.path, "log", "--no-walk=unsorted", "--format=%H %ct", "--stdin", stdin=stdin).decode().split()
        times = dict(zip(told[::2], map(int, told[1::2]), strict=True))
        return {name: (sha, times[sha]) for name, sha in commits.items()}

    @cached_property
    def reached(self) -> dict[str, int]:
        return {sha: self._bits(lines(self.path, "rev-list", sha)) for sha, _ in self.tags.values()}

    def _bits(self, shas: Iterable[str]) -> int:
        bits = bytearray(1 << 14)
        for sha in shas:
            number = self.place.setdefault(sha, len(self.place))
            if number // 8 >= len(bits):
                bits.extend(bytes(len(bits)))
            bits[number // 8] |= 1 << number % 8
        return int.from_bytes(bits, "little")

    def reaches(self, tag: str, sha: str) -> bool:
        return bool(self.reached[self.tags[tag][0]] >> self.place[sha] & 1)

    def expected(self, tag: str) -> set[str]:
        """`git rev-list TAG --not EARLIER...`."""
        earlier = self._earlier(tag)
        sha = self.tags[tag][0]
        if not earlier:
            return set(lines(self.path, "rev-list", f"--max-count={FIRST}", sha))
        return set(lines(self.path, "rev-list", sha, "--not", *{self.tags[name][0] for name in earlier}))

    def _earlier(self, tag: str) -> list[str]:
        read = {name: read_tag(name) for name in self.tags}
        this = read[tag]
        own = [other for other in read.values() if other.line == this.line and self.tags[other.name][0] != self.tags[tag][0]]
        found = [other.name for other in own if _may_count(this, other) and self._is_earlier(this, other)]
        if not found and this.kind in (Kind.FINAL, Kind.OPEN):
            trials = [other for other in own if other.kind is Kind.PRE and other.numbers != this.numbers]
            found = [other.name for other in trials if self._is_earlier(this, other)]
        if found:
            return found
        behind = {other.line for other in read.values() if other.is_version and self._is_behind(tag, other.name)}
        if len(behind) != 1 or this.line in behind:
            return []
        renamed = [other for other in read.values() if other.line in behind and self._is_earlier(this, other)]
        return [other.name for other in renamed if _may_count(this, other)] or [other.name for other in renamed]

    def _is_behind(self, tag: str, other: str) -> bool:
        return self.tags[other][0] != self.tags[tag][0] and self.reaches(tag, self.tags[other][0])

    def _is_earlier(self, this: TagName, other: TagName) -> bool:
        if self._is_behind(this.name, other.name):
            return True
        contains = self.reaches(other.name, self.tags[this.name][0])
        shared = self.reached[self.tags[this.name][0]] & self.reached[self.tags[other.name][0]]
        is_younger = self.tags[other.name][1] > self.tags[this.name][1]
        return other.is_lower(this) and not contains and not is_younger and bool(shared)


def _may_count(this: TagName, other: TagName) -> bool:
    if other.kind is Kind.FLOATING:
        return False
    if other.kind is Kind.PRE and this.kind not in (Kind.PRE, Kind.NONE, Kind.FLOATING):
        return False
    return not (other.kind is Kind.OPEN and this.kind is Kind.FINAL and not this.is_after and other.numbers == this.numbers)


@pytest.fixture(params=MIRRORS or [None], ids=lambda path: "/".join(path.parts[-2:]) if path else "none")
def mirror(request: pytest.FixtureRequest, tmp_path: Path) -> Mirror:
    if request.param is None:
        pytest.skip("TAGSHIP_TEST_MIRRORS names no bare repository")
    copy = tmp_path / "mirror.git"
    git(tmp_path, "clone", "--quiet", "--bare", "--shared", str(request.param), str(copy))
    git(copy, "commit-graph", "write", "--reachable")  # without one git prunes its walks by date
    return Mirror(copy)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    engine = make_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    migrate(engine, SCHEMA)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_backfill_lists_what_the_rule_says(
    kind: str, mirror: Mirror, ledger: Engine, http: httpx2.Client, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    given = rules(target.url, release="{tag}@mirror")
    in_force = Rules(given.rules, given.targets, CommitRules(file_calls=0))
    with Forge("github" if kind == "github" else "gitlab") as forge:
        forge.add(NAME, mirror.path)
        made = backfill(ledger, http, forge, in_force)
        run = runner(ledger, http, in_force, forge.url, provider=kind)
        calls = []
        for job_id in made:
            before = forge.total_calls
            run_to_end(ledger, run, job_id)
            calls.append(forge.total_calls - before)
        sent = {body["version"]: [commit["id"] for commit in body.get("commits", ())] for _, body, _ in target.posts}
        dates = [body["dateReleased"] for _, body, _ in target.posts]
        posts, found = len(target.posts), rows(ledger)
        for job_id in made:
            with ledger.begin() as connection:
                assert recollects.begin(connection, job_id, now=datetime.now(UTC))
            run_to_end(ledger, run, job_id)
        again, resent = rows(ledger), {body["version"]: body for _, body, _ in target.posts[posts:]}
    tags = {job.ref.removeprefix("refs/tags/"): job for job in found}
    differing = [tag for tag, job in tags.items() if set(sent[job.version]) != mirror.expected(tag)]
    proven = [tag for tag, job in tags.items() if job.range["proven"]]
    with capsys.disabled():
        print(
            f"\n{kind} {mirror.path}: {len(tags)} releases of {len(mirror.tags)} tags, {len(tags) - len(differing)} equal the "
            f"rule, {len(proven)} proven, API calls per tag: median {statistics.median(calls)}, most {max(calls)}; "
            f"recollected: {sum(len(sent[job.version]) != job.range['commits'] for job in again)} differ"
        )
        for tag in differing:
            print(f"  {tag}: {len(sent[tags[tag].version])} instead of {len(mirror.expected(tag))}; {tags[tag].range}")
    assert {job.status for job in found} == {"succeeded"}
    assert not set(differing) & set(proven), "what is proven equals the rule"
    assert len(differing) <= len(tags) // 100
    assert len(proven) >= len(tags) * 0.9
    assert all(job.range["partial"] for tag, job in tags.items() if tag not in proven)
    assert statistics.median(calls) <= 4
    assert [job.range["commits"] for job in again] == [job.range["commits"] for job in found]
    # More is asked then; what was called partial may have been cut on its way, so it is sent again where it is whole now.
    assert resent.keys() <= {job.version for job in found if job.range["partial"]}
    assert all([commit["id"] for commit in body["commits"]] == sent[version] for version, body in resent.items())
    assert {job.status for job in again} == {"succeeded"}
    assert max(dates) < datetime.now(UTC).isoformat()


def run_to_end(ledger: Engine, run: Runner, job_id: str) -> None:
    """As a sweeper would: what goes on where an attempt's time ended, as on a slow machine, is run again."""
    run.run([job_id])
    for _ in range(20):
        if row(ledger, job_id).status not in WAITING:
            break
        make_due(ledger, job_id)
        run.run([job_id])


def backfill(ledger: Engine, http: httpx2.Client, forge: Forge, in_force: Rules) -> list[str]:
    """Ids of the jobs, in the order in which they are made."""
    known = settings(forges={forge.kind: ForgeSettings(forge.url, "t", is_named=True)}, environ={"T": "s3cret"})
    comparing = Comparing(ledger, Comparer(known, in_force, ledger, http), Timer(ledger, ReconcileRules()), threading.Event())
    with ledger.begin() as connection:
        repository = Named(forge.kind, NAME)
        assert reconcile_runs.want(connection, repository, most_tags=None, creates=True, now=datetime.now(UTC))
    assert comparing.step()
    return [job.id for job in rows(ledger)]


def rows(ledger: Engine) -> list[sa.Row[tuple[object, ...]]]:
    with ledger.begin() as connection:
        return list(connection.execute(sa.select(job_table).order_by(job_table.c.id)))
