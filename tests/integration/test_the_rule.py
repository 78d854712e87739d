"""The rule of docs/decisions/0008 over real git repositories behind a test forge, both kinds: every row of its table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.engine import Engine

from shared.config.settings import ForgeSettings
from shared.domain.commit_range import Range
from shared.domain.push import Repository, tag_push
from shared.domain.rules import CommitRules, NamingRules
from shared.infra.database import make_engine
from shared.infra.http_client import Deadline
from shared.ledger.tables import SCHEMA
from tests.forge import Built, Forge, History, git
from tests.migrated import migrate
from tests.release_tables import ROWS, Row, read_history, read_tags
from worker.commits.forge_pool import Forges
from worker.commits.range_finder import Collector

NAME = "acme/shop"
QUIET = CommitRules(file_calls=0)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Empty and stays so: nothing was pushed, and no file lists are asked for."""
    engine = make_engine(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.sqlite3'}")
    migrate(engine, SCHEMA)
    yield engine
    engine.dispose()


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest) -> Iterator[Forge]:
    with Forge(request.param) as server:
        yield server


def build(place: Path, history: str, tags: str) -> Built:
    made = History()
    for label, parents in read_history(history).items():
        made.commit(label, *parents)
    for number, (name, label) in enumerate(read_tags(tags).items()):
        made.tag(name, label, depth=number % 3)
    made.branch("main", label)
    return made.build(place)


class Asking:
    """Collects for tags of one repository, as the worker does, in one process."""

    def __init__(self, ledger: Engine, http: httpx2.Client, forge: Forge, built: Built, token: str | None = "token") -> None:
        forge.add(NAME, built.path)
        self._ledger, self._built, self._kind = ledger, built, forge.kind
        self._forges = Forges(http, {forge.kind: ForgeSettings(forge.url, token, is_named=True)})

    def collect(self, tag: str, rules: CommitRules = QUIET) -> Range:
        repository = Repository(self._kind, NAME, "main")
        push = tag_push(repository, tag, self._built.sha[tag])
        opened = self._forges.open(repository)
        return Collector(self._ledger, push, opened, rules, Deadline(30), datetime.now(UTC)).collect()


@pytest.mark.parametrize("token", ["token", None], ids=["with a token", "without"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.about)
def test_the_table(ledger: Engine, http: httpx2.Client, forge: Forge, tmp_path: Path, row: Row, token: str | None) -> None:
    built = build(tmp_path / "repository", row.history, row.tags)
    found = Asking(ledger, http, forge, built, token).collect(row.this)
    head, bases = built.sha[row.this], [built.sha[name] for name in row.bases.split()]
    assert list(found.bases) == bases
    assert found.base_tag == (row.bases.split() or [None])[0]
    assert {commit.id for commit in found.commits} == {built.sha[label] for label in row.lists.split()}
    assert {commit.id for commit in found.commits} == set(git(built.path, "rev-list", head, "--not", *bases).decode().split())
    assert (found.partial, found.is_proven, found.tags) == (None, True, "forge")
    assert (found.how == "first_release") == (not bases)


def test_a_line_of_a_monorepo_is_asked_for_by_its_prefix(
    ledger: Engine, http: httpx2.Client, forge: Forge, tmp_path: Path
) -> None:
    """3,000 tags of other parts are 30 pages that nobody needs."""
    made = History()
    made.line("c", 9)
    for number in range(3_000):
        made.tag(f"web@{number}.0.0", "c1")
    for place, name in enumerate(("api@1.0.0", "API/v1.1.0", "api-1.2.0")):
        made.tag(name, f"c{2 + 3 * place}", depth=place)
    built = made.build(tmp_path / "repository")
    asking = Asking(ledger, http, forge, built)
    found = asking.collect("api-1.2.0")
    assert (found.base_tag, len(found.commits), found.is_proven) == ("API/v1.1.0", 3, True)
    assert forge.total_calls <= 3


def test_a_renamed_component_is_found_in_the_whole_list(
    ledger: Engine, http: httpx2.Client, forge: Forge, tmp_path: Path
) -> None:
    built = build(tmp_path / "repository", "a b c", "shop-1.0 a, store-1.1 c")
    found = Asking(ledger, http, forge, built).collect("store-1.1")
    assert (found.base_tag, found.how, len(found.commits)) == ("shop-1.0", "other_line", 2)


@pytest.mark.parametrize(
    ("naming", "history", "tags", "this", "base", "lists"),
    [
        (NamingRules(counts_prereleases=True), "a b c", "1.0 a, 2.0-rc1 b, 2.0 c", "2.0", "2.0-rc1", "c"),
        (NamingRules(final_suffixes=("avh",)), "a b c", "1.0 a, 1.1-avh b, 2.0 c", "2.0", "1.1-avh", "c"),
        (
            NamingRules(templates=("prod-{version}", "production-{version}")),
            "a b c",
            "prod-1 a, production-2 b, prod-3 c",
            "prod-3",
            "production-2",
            "c",
        ),
        (NamingRules(bases=("2024.9",)), "a b r^b c^b d", "2024.9 r, 1.0.0 d", "1.0.0", "2024.9", "c d"),
    ],
    ids=["prereleases", "final_suffixes", "tag", "base"],
)
def test_settings(
    ledger: Engine,
    http: httpx2.Client,
    forge: Forge,
    tmp_path: Path,
    naming: NamingRules,
    history: str,
    tags: str,
    this: str,
    base: str,
    lists: str,
) -> None:
    built = build(tmp_path / "repository", history, tags)
    asking = Asking(ledger, http, forge, built)
    rules = CommitRules(file_calls=0, repositories=((("*:acme/*",), naming),))
    found = asking.collect(this, rules)
    assert (found.base_tag, {commit.id for commit in found.commits}) == (base, {built.sha[label] for label in lists.split()})
    elsewhere = CommitRules(file_calls=0, repositories=((("*:other/*",), naming),))
    assert asking.collect(this, elsewhere).base_tag != base


def test_releases_that_were_not_compared_are_counted(ledger: Engine, http: httpx2.Client, forge: Forge, tmp_path: Path) -> None:
    """Nine branches of one commit each, all younger than a commit of the release: any of them could hold it."""
    branches = " ".join(f"x{number}^a" for number in range(9))
    tags = ", ".join(f"1.{number}.1 x{number}" for number in range(9))
    built = build(tmp_path / "repository", f"o a^o {branches} r^o b^a c", f"1.9 r, {tags}, 2.0 c")
    found = Asking(ledger, http, forge, built).collect("2.0")
    expected = {built.sha[label] for label in "bc"}
    assert {commit.id for commit in found.commits} == expected, "the first of them takes it away, and settles the others"
    assert found.is_proven
    built = build(tmp_path / "another", f"o a^o {branches.replace('^a', '^o')} r^o b^a c", f"1.9 r, {tags}, 2.0 c")
    forge.add(NAME, built.path)
    found = Asking(ledger, http, forge, built).collect("2.0")
    assert {commit.id for commit in found.commits} == {built.sha[label] for label in "abc"}
    assert found.partial == "4 earlier releases were not compared: some of these commits may be in them"
    assert not found.is_proven
