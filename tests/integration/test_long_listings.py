"""Listings that take longer than one attempt may, and comparisons that a forge fails: they are finished all the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from sqlalchemy.engine import Engine

from shared.config.settings import ForgeSettings
from shared.domain.commit_range import Range
from shared.domain.push import Push, Repository, tag_push
from shared.domain.rules import CommitRules
from shared.errors import TransientError
from shared.forges import PROVIDERS
from shared.forges.forge import Comparison, ForgeAccess
from shared.infra.http_client import Deadline
from tests.forge import HISTORIES, Forge, reply
from tests.forge.histories import long
from tests.forge.replies import Reply, Request
from tests.range_run import NAME
from worker.commits.forge_pool import Forges
from worker.commits.range_finder import Collector

BROKEN = {"message": "Server Error: Sorry, this diff is taking too long to generate."}


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest) -> Iterator[Forge]:
    with Forge(request.param) as server:
        yield server


def fails_to_compare(status: int) -> Any:
    def rule(request: Request) -> Reply | None:
        is_comparison = "compare" in request.segments or "merge_base" in request.segments
        return reply(BROKEN, status) if is_comparison or ".." in request.target else None

    return rule


@pytest.mark.parametrize("name", ["merges", "crossed", "diverged", "skewed"])
def test_a_comparison_that_the_forge_fails_is_made_of_lists(
    forge: Forge, http: httpx2.Client, tmp_path: Path, name: str
) -> None:
    histories = [each for each in HISTORIES if name in each] or list(HISTORIES)[:2]
    for history in histories:
        built = HISTORIES[history]().build(tmp_path / history)
        forge.add(NAME, built.path)
        forge.rule = fails_to_compare(500 if name != "merges" else 422)
        client = PROVIDERS[forge.kind].open_forge(ForgeAccess(client=http, base_url=forge.url, token="t"))
        for base, head in itertools.islice(itertools.permutations(built.parents, 2), 60):
            found = client.compare(NAME, base, head, Deadline(20))
            if isinstance(found, Comparison):
                assert {commit.id for commit in found.commits} == built.range(base, head)
                assert (found.is_complete, found.base_is_ancestor) == (True, base in built.reachable(head))
                if forge.kind == "github":
                    assert client.is_ancestor(NAME, base, head, Deadline(20)) == found.base_is_ancestor
            else:
                assert not built.reachable(base) & built.reachable(head)


def test_a_range_continues_at_the_page_where_the_attempt_before_ended(
    forge: Forge, http: httpx2.Client, tmp_path: Path
) -> None:
    built = long(650).build(tmp_path / "long")
    forge.add(NAME, built.path)
    access = ForgeAccess(client=http, base_url=forge.url, token="t")
    answered = iter(range(100))

    def ends(_: Request) -> Reply | None:
        return reply(BROKEN, 503) if next(answered) >= 4 else None

    forge.rule = ends
    first = PROVIDERS[forge.kind].open_forge(access)
    with pytest.raises(TransientError):
        first.compare(NAME, built.sha["v1.0.0"], built.sha["v2.0.0"], Deadline(20))
    assert first.pages_added == {"github": 4, "gitlab": 3}[forge.kind], "one call of GitLab's was for the merge base"
    forge.rule = lambda _: None
    second = PROVIDERS[forge.kind].open_forge(access)
    forge.forget()
    found = second.compare(NAME, built.sha["v1.0.0"], built.sha["v2.0.0"], Deadline(20))
    assert isinstance(found, Comparison)
    assert (len(found.commits), found.is_complete) == (650, True)
    assert forge.total_calls == {"github": 3, "gitlab": 5}[forge.kind]
    second.forget_pages()
    third = PROVIDERS[forge.kind].open_forge(access)
    forge.forget()
    third.compare(NAME, built.sha["v1.0.0"], built.sha["v2.0.0"], Deadline(20))
    assert forge.total_calls >= 7, "nothing is kept of what was answered"


# --- slow forges, in simulated time ---------------------------------------------------------------------------------------


@dataclass
class SlowForge:
    """A GitHub over `tags` and a line of `commits`, one tag a commit of the newest. Each page takes `seconds` of `now`."""

    tags: int
    commits: int
    seconds: float
    now: float = 0.0
    end: float = 0.0  # of the attempt's time
    pages: list[str] = field(default_factory=list)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        if self.now + self.seconds >= self.end:
            self.now = self.end
            raise httpx2.ReadTimeout("simulated")
        self.now += self.seconds
        parts = urlsplit(str(request.url))
        number = int(parse_qs(parts.query).get("page", ["1"])[0])
        self.pages += [f"{parts.path} {number}"] if request.method == "GET" else []
        if parts.path.endswith("/tags"):
            listed = [
                {"name": f"v1.{tag}", "commit": {"sha": sha(self._of_tag(tag))}}
                for tag in range((number - 1) * 100, min(number * 100, self.tags))
            ]
            more = {"Link": '<https://x/?page=0>; rel="next"'} if number * 100 < self.tags else {"Link": ""}
            return httpx2.Response(200, json=listed, headers=more)
        if "/compare/" in parts.path:
            base, head = (int(end, 16) for end in parts.path.rpartition("/")[2].split("..."))
            shown = range(base + 1, head + 1)[(number - 1) * 100 : number * 100]
            body = {
                "total_commits": head - base,
                "behind_by": 0,
                "merge_base_commit": {"sha": sha(base)},
                "base_commit": commit(base),
                "commits": [commit(place) for place in shown],
            }
            return httpx2.Response(200, json=body)
        return httpx2.Response(404, json={"message": "Not Found"})

    def _of_tag(self, tag: int) -> int:
        """The last two tags have `commits` between them."""
        return tag + 1 if tag < self.tags - 1 else self.tags - 1 + self.commits

    @property
    def push(self) -> Push:
        return tag_push(Repository("github", NAME, "main"), f"v1.{self.tags - 1}", sha(self._of_tag(self.tags - 1)))


def sha(place: int) -> str:
    return f"{place:040x}"


def commit(place: int) -> dict[str, Any]:
    at = datetime.fromtimestamp(1_700_000_000 + place, UTC).isoformat()
    who = {"name": "Ann", "email": "ann@example.org", "date": at}
    return {
        "sha": sha(place),
        "commit": {"message": f"commit {place}", "author": who, "committer": who},
        "parents": [{"sha": sha(place - 1)}],
    }


def collect(engine: Engine, slow: SlowForge, most_attempts: int) -> tuple[Range, int]:
    """The range, and how many attempts of a minute it took; each continues on what the one before has kept."""
    with httpx2.Client(transport=httpx2.MockTransport(slow.answer)) as client:
        forges = Forges(client, {"github": ForgeSettings("https://forge.example", "t", is_named=True)})
        for attempt in range(1, most_attempts + 1):
            forge = forges.open(slow.push.repository)
            assert forge is not None
            slow.end = slow.now + 60
            deadline, rules = Deadline(60, clock=lambda: slow.now), CommitRules(file_calls=0)
            now = datetime.now(UTC)
            pushed_at = now - timedelta(hours=1)
            try:
                found = Collector(engine, slow.push, forge, rules, deadline, now, forges.tag_lists, pushed_at).collect()
            except TransientError:
                assert forge.pages_added, "each attempt comes further"
                continue
            return found, attempt
    raise AssertionError(f"not finished after {most_attempts} attempts and {len(slow.pages)} pages")


@pytest.mark.parametrize(
    ("tags", "commits", "seconds", "attempts"),
    [(14_000, 1, 0.5, 2), (50_000, 1, 0.5, 5), (2, 6_500, 1.0, 2)],
    ids=["14,000 tags at 0.5 s a page", "50,000 tags at 0.5 s a page", "6,500 commits at 1 s a page"],
)
def test_what_takes_longer_than_one_attempt_is_finished_by_the_next_ones(
    ledger: Engine, tags: int, commits: int, seconds: float, attempts: int
) -> None:
    slow = SlowForge(tags, commits, seconds)
    found, took = collect(ledger, slow, attempts)
    assert (len(found.commits), found.partial, found.is_proven) == (commits, None, True)
    assert took == attempts
    assert len(slow.pages) == len(set(slow.pages)), "no page is read twice"
