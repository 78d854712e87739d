"""Both forge clients against the test forge: what git says is what they say, and every refusal has its name."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from shared.domain.push import FileChange
from shared.errors import PermanentError, TagshipError, TransientError
from shared.forges import PROVIDERS
from shared.forges.errors import Missing, RateLimited
from shared.forges.forge import Comparison, Forge, ForgeAccess, Tag, Unrelated
from shared.infra.http_client import Deadline, make_client
from tests import forge as testing
from tests.builders import examples
from tests.forge.histories import START, long

REPOSITORY = "acme/web"
KINDS = ("github", "gitlab")
PATHS = {"github": "/api/v3", "gitlab": "/git/lab"}
UNKNOWN = "12" * 20


@pytest.fixture(scope="session")
def http() -> Iterator[httpx2.Client]:
    with make_client() as client:
        yield client


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], testing.Built]:
    """Each history, built once a process."""
    return cache(lambda name: testing.HISTORIES[name]().build(tmp_path_factory.mktemp(name) / "bare.git"))


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[testing.Forge]:
    """A forge of each kind, below a path as self-hosted ones may be."""
    with testing.Forge(request.param, PATHS[request.param]) as made:
        yield made


def opened(server: testing.Forge, http: httpx2.Client, token: str | None = "secret") -> Forge:
    return PROVIDERS[server.kind].open_forge(ForgeAccess(client=http, base_url=server.url, token=token))


def soon() -> Deadline:
    return Deadline(20)


def ids(comparison: Comparison | Unrelated) -> list[str]:
    assert isinstance(comparison, Comparison)
    return [commit.id for commit in comparison.commits]


def check_pair(client: Forge, made: testing.Built, base: str, head: str) -> None:
    """What the client says of two commits is what git and the definition of a range say."""
    found = client.compare(REPOSITORY, base, head, soon())
    is_ancestor = base in made.reachable(head)
    assert client.is_ancestor(REPOSITORY, base, head, soon()) == is_ancestor
    shared = made.reachable(base) & made.reachable(head)
    if not shared:
        assert isinstance(found, Unrelated)
        return
    assert isinstance(found, Comparison)
    assert found.merge_base in shared
    wanted = made.range(base, head)
    assert set(ids(found)) == wanted == set(testing.rev_list(made.path, base, head))
    assert len(found.commits) == len(wanted) == found.total
    assert found.is_complete
    assert found.base_is_ancestor == is_ancestor
    if wanted:
        assert found.commits[0].id == head


@pytest.mark.parametrize("name", list(testing.HISTORIES))
def test_every_pair_of_commits_compares_as_rev_list_does(
    name: str, built: Callable[[str], testing.Built], server: testing.Forge, http: httpx2.Client
) -> None:
    made = built(name)
    server.add(REPOSITORY, made.path)
    client = opened(server, http)
    named = sorted(made.parents)
    for base, head in itertools.islice(itertools.product(named, repeat=2), 0, None, max(1, len(named) ** 2 // 30)):
        check_pair(client, made, base, head)


@pytest.mark.parametrize("name", list(testing.HISTORIES))
def test_ranges_between_the_tags_of_a_history(
    name: str, built: Callable[[str], testing.Built], server: testing.Forge, http: httpx2.Client
) -> None:
    made = built(name)
    server.add(REPOSITORY, made.path)
    client = opened(server, http)
    tags = {tag.name: tag.sha for tag in client.tags(REPOSITORY, "", soon())}
    assert tags == {name: _peeled(made, name) for name in _tag_names(made)}
    for base, head in itertools.permutations(sorted(set(tags.values())), 2):
        check_pair(client, made, base, head)


def _tag_names(made: testing.Built) -> list[str]:
    return testing.git(made.path, "tag", "--list").decode().splitlines()


def _peeled(made: testing.Built, name: str) -> str:
    return testing.git(made.path, "rev-parse", f"refs/tags/{name}^{{commit}}").decode().strip()


@examples(40, *HealthCheck)
@given(history=testing.random_histories(), data=st.data())
def test_random_histories(
    history: testing.History,
    data: st.DataObject,
    server: testing.Forge,
    http: httpx2.Client,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made = history.build(tmp_path_factory.mktemp("random") / "bare.git")
    server.add(REPOSITORY, made.path)
    client = opened(server, http)
    shas = sorted(made.parents)
    for _ in range(3):
        check_pair(client, made, data.draw(st.sampled_from(shas)), data.draw(st.sampled_from(shas)))
    tags = {tag.name: tag.sha for tag in client.tags(REPOSITORY, "", soon())}
    assert tags == {name: made.sha[name] for name in _tag_names(made)}
    for name, sha in tags.items():
        assert client.tag(REPOSITORY, name, soon()) == Tag(name, sha)


def test_commit_carries_author_full_message_and_committer_time(
    server: testing.Forge, http: httpx2.Client, tmp_path: Path
) -> None:
    history = testing.History()
    history.commit("base")
    message = "Überschrift\n\nBody with \t tab and 漢字.\n\nSigned-off-by: x\n"
    history.commit("odd", "base", message=message, at=START + 5, authored_at=START - 90_000, author="Ü Ñ <not an e-mail>")
    history.tag("v1", "odd", depth=3)
    made = history.build(tmp_path / "bare.git")
    server.add(REPOSITORY, made.path)
    client = opened(server, http)
    compared = client.compare(REPOSITORY, made.sha["base"], made.sha["odd"], soon())
    assert isinstance(compared, Comparison)
    (found,) = compared.commits
    assert found.message.rstrip("\n") == message.rstrip("\n")
    assert (found.author_name, found.author_email) == ("Ü Ñ", "not an e-mail")
    assert found.timestamp == datetime.fromtimestamp(START + 5, UTC)
    assert found.files is None
    assert client.commits(REPOSITORY, made.sha["odd"], 1, soon()) == (found,)


def test_empty_message_is_read(server: testing.Forge, http: httpx2.Client, tmp_path: Path) -> None:
    history = testing.History()
    history.commit("base")
    history.commit("silent", "base", message="")
    made = history.build(tmp_path / "bare.git")
    server.add(REPOSITORY, made.path)
    compared = opened(server, http).compare(REPOSITORY, made.sha["base"], made.sha["silent"], soon())
    assert isinstance(compared, Comparison)
    (found,) = compared.commits
    assert found.message == ""


@pytest.fixture(scope="module")
def three_thousand(tmp_path_factory: pytest.TempPathFactory) -> testing.Built:
    return long(3_000).build(tmp_path_factory.mktemp("long") / "bare.git")


def test_three_thousand_commits(three_thousand: testing.Built, server: testing.Forge, http: httpx2.Client) -> None:
    made = three_thousand
    server.add(REPOSITORY, made.path)
    client = opened(server, http)
    found = client.compare(REPOSITORY, made.sha["v1.0.0"], made.sha["v2.0.0"], soon())
    assert set(ids(found)) == made.range(made.sha["v1.0.0"], made.sha["v2.0.0"])
    assert isinstance(found, Comparison)
    assert (len(ids(found)), found.is_complete) == (3_000, True)
    # GitHub: 30 pages. GitLab: a merge base, and the full last page promises one more.
    assert server.total_calls == {"github": 30, "gitlab": 32}[server.kind]
    for _ in range(2):
        assert client.is_ancestor(REPOSITORY, made.sha["v1.0.0"], made.sha["v2.0.0"], soon())
    assert server.total_calls == {"github": 32, "gitlab": 32}[server.kind], "a merge base is asked for once"
    place = {sha: number for number, sha in enumerate(ids(found))}
    assert all(place[child] < place[parent] for child in place for parent in made.parents[child] if parent in place)


def test_newest_commits_of_a_first_release(three_thousand: testing.Built, server: testing.Forge, http: httpx2.Client) -> None:
    made = three_thousand
    server.add(REPOSITORY, made.path)
    client = opened(server, http)
    head = made.sha["v2.0.0"]
    for limit in (1, 20, 250):
        found = [commit.id for commit in client.commits(REPOSITORY, head, limit, soon())]
        assert found == testing.git(made.path, "rev-list", f"-n{limit}", head).decode().split()
    root = [commit.id for commit in client.commits(REPOSITORY, made.sha["v1.0.0"], 20, soon())]
    assert root == [made.sha["v1.0.0"]]


def test_tags_of_many_pages_cost_nothing_the_second_time(server: testing.Forge, http: httpx2.Client, tmp_path: Path) -> None:
    history = testing.History()
    history.line("c", 3)
    for number in range(230):
        history.tag(f"{'api@' if number % 2 else 'web/v'}{number}.0.0", f"c{number % 3 + 1}", depth=number % 3)
    made = history.build(tmp_path / "bare.git")
    server.add(REPOSITORY, made.path)
    access = ForgeAccess(client=http, base_url=server.url, token="secret")
    first = PROVIDERS[server.kind].open_forge(access)
    wanted = {name: made.sha[name] for name in _tag_names(made)}
    for _ in range(2):
        assert {tag.name: tag.sha for tag in first.tags(REPOSITORY, "", soon())} == wanted
    assert server.total_calls == 6
    assert server.unchanged == 3
    second = PROVIDERS[server.kind].open_forge(access)
    found = second.tags(REPOSITORY, "api@", soon())
    assert {tag.name: tag.sha for tag in found} == {name: sha for name, sha in wanted.items() if name.startswith("api@")}
    testing.git(made.path, "tag", "api@999", made.sha["c1"])
    assert Tag("api@999", made.sha["c1"]) in second.tags(REPOSITORY, "api@", soon())


def test_the_times_of_tagged_commits_are_told_by_the_list_or_a_hundred_at_a_time(
    server: testing.Forge, http: httpx2.Client, tmp_path: Path
) -> None:
    history = testing.History()
    history.line("c", 150)
    for number in range(1, 151):
        history.tag(f"v{number}", f"c{number}", depth=number % 4)
    made = history.build(tmp_path / "bare.git")
    server.add(REPOSITORY, made.path)
    access = ForgeAccess(client=http, base_url=server.url, token="secret")
    client = PROVIDERS[server.kind].open_forge(access)
    tags = client.tags(REPOSITORY, "", soon())
    server.forget()
    times = {tag.sha: tag.at for tag in tags if tag.at is not None}
    times.update(client.times(REPOSITORY, [tag.sha for tag in tags], soon()))
    assert server.total_calls == (2 if server.kind == "github" else 0)
    for sha, at in times.items():
        seconds = testing.git(made.path, "show", "-s", "--format=%ct", sha).decode().strip()
        assert at is not None
        assert at.timestamp() == int(seconds)
    assert len(times) == 150
    again = PROVIDERS[server.kind].open_forge(access)
    server.forget()
    again.times(REPOSITORY, list(times), soon())
    assert server.total_calls == 0, "times never change"


def test_when_tags_were_made_is_told_for_a_hundred_a_call(server: testing.Forge, http: httpx2.Client, tmp_path: Path) -> None:
    made = testing.History()
    made.line("c", 2)
    made.tag("v1", "c1")
    made.tag("v2", "c1", depth=1, at=1_700_000_000)
    made.tag("v3", "c2", depth=2, at=1_700_000_001)
    server.add(REPOSITORY, made.build(tmp_path / "dated").path)
    forge = opened(server, http, token="secret")
    tags = forge.tags(REPOSITORY, "", soon())
    commit = next(tag for tag in forge.tags(REPOSITORY, "v1", soon()) if tag.name == "v1").at
    assert commit is not None
    calls = server.total_calls
    dates = forge.dates(REPOSITORY, tags, soon())
    assert {name: found.tagged_at for name, found in dates.items()} == {
        "v1": commit,
        "v2": datetime.fromtimestamp(1_700_000_000, UTC),
        "v3": datetime.fromtimestamp(1_700_000_001, UTC),
    }
    assert dates["v2"].committed_at == commit
    assert server.total_calls - calls == (1 if server.kind == "github" else 0)
    server.graphql = False
    assert set(forge.dates(REPOSITORY, tags, soon())) == (set() if server.kind == "github" else {"v1", "v2", "v3"})
    assert opened(server, http, token=None).dates(REPOSITORY, tags[:0], soon()) == {}


@pytest.mark.parametrize("graphql", [True, False])
def test_tags_by_prefix_come_with_their_times_and_without_graphql_all_the_same(
    server: testing.Forge, http: httpx2.Client, tmp_path: Path, graphql: bool
) -> None:
    history = testing.History()
    history.line("c", 4)
    for number in range(230):
        history.tag(f"web/v{number}", "c1")
    history.tag("api@1.0", "c2", depth=3)
    history.tag("API@1.1", "c3", depth=1)
    history.tag("old-api@0.9", "c4")
    made = history.build(tmp_path / "bare.git")
    server.add(REPOSITORY, made.path)
    server.graphql = graphql
    client = opened(server, http)
    tags = client.tags(REPOSITORY, "api@", soon())
    assert {tag.name: tag.sha for tag in tags} == {"api@1.0": made.sha["c2"], "API@1.1": made.sha["c3"]}
    assert all(tag.at is not None for tag in tags) == (graphql or server.kind == "gitlab")
    assert client.times(REPOSITORY, [made.sha["c1"]], soon()).keys() <= {made.sha["c1"]}
    if graphql:
        assert server.total_calls <= 2


@pytest.mark.parametrize("name", ["api@1.0.0", "web/v3", "v1.0.0+build.7", "ünïcode-✓", "100%", "a#b", "a&b=c", "v1;x"])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_tag_with_any_name_is_found_and_peeled(
    name: str, depth: int, server: testing.Forge, http: httpx2.Client, tmp_path: Path
) -> None:
    history = testing.History()
    history.line("c", 2)
    history.tag(name, "c2", depth=depth)
    history.tag(f"{name}-more", "c1")
    made = history.build(tmp_path / "bare.git")
    server.add(REPOSITORY, made.path)
    client = opened(server, http)
    assert client.tag(REPOSITORY, name, soon()) == Tag(name, made.sha["c2"])
    assert {tag.name for tag in client.tags(REPOSITORY, name, soon())} == {name, f"{name}-more"}
    with pytest.raises(Missing) as caught:
        client.tag(REPOSITORY, f"{name}-not", soon())
    assert caught.value.name == f"{name}-not"


def test_tag_of_a_file_leads_to_no_commit(server: testing.Forge, http: httpx2.Client, tmp_path: Path) -> None:
    history = testing.History()
    history.line("c", 1)
    history.tag("v1", "c1")
    made = history.build(tmp_path / "bare.git")
    blob = testing.git(made.path, "rev-parse", "v1:src/c1").decode().strip()
    testing.git(made.path, "update-ref", "refs/tags/blob", blob)
    server.add(REPOSITORY, made.path)
    client = opened(server, http)
    assert client.tags(REPOSITORY, "", soon()) == [Tag("v1", made.sha["c1"])]
    with pytest.raises(PermanentError, match="does not lead to a commit"):
        client.tag(REPOSITORY, "blob", soon())


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> testing.Built:
    """Additions, removals, modifications, renames, a merge, no change, and a commit of 700 files."""
    history = testing.History()
    text = "".join(f"line {number}\n" for number in range(30))
    history.commit("root", files={"a": "1\n", "b": text, "dir/c d": "3\n", "ü": "4\n"})
    history.commit("mixed", "root", files={"a": "2\n", "dir/c d": None, "new": "5\n"})
    history.commit("renamed", "mixed", files={"b": None, "moved/b": text})
    history.commit("empty", "renamed", files={})
    history.commit("many", "empty", files={f"many/{number}": str(number) for number in range(700)})
    history.commit("side", "root", files={"side": "s\n"})
    history.commit("merge", "many", "side", files={"side": "s\n"})
    history.branch("main", "merge")
    return history.build(tmp_path_factory.mktemp("changing") / "bare.git")


@pytest.mark.parametrize("label", ["root", "mixed", "renamed", "empty", "many", "side", "merge"])
def test_files_are_those_that_git_names(
    label: str, changing: testing.Built, server: testing.Forge, http: httpx2.Client
) -> None:
    server.add(REPOSITORY, changing.path)
    client = opened(server, http)
    sha = changing.sha[label]
    found = client.files(REPOSITORY, sha, soon())
    assert {(change.path, change.type) for change in found} == testing.name_status(changing.path, sha)
    assert len({change.path for change in found}) == len(found)
    if label == "many":
        assert server.total_calls == {"github": 3, "gitlab": 7}[server.kind]


# What is not there


def test_unknown_shas_are_missing_by_name(
    built: Callable[[str], testing.Built], server: testing.Forge, http: httpx2.Client
) -> None:
    made = built("linear")
    server.add(REPOSITORY, made.path)
    known = made.sha["v1.1.0"]
    questions: dict[str, Callable[[Forge], Any]] = {
        "head of a range": lambda client: client.compare(REPOSITORY, known, UNKNOWN, soon()),
        "base of a range": lambda client: client.compare(REPOSITORY, UNKNOWN, known, soon()),
        "ancestor": lambda client: client.is_ancestor(REPOSITORY, UNKNOWN, known, soon()),
        "commits": lambda client: client.commits(REPOSITORY, UNKNOWN, 20, soon()),
        "files": lambda client: client.files(REPOSITORY, UNKNOWN, soon()),
    }
    for question in questions.values():
        with pytest.raises(Missing) as caught:
            question(opened(server, http))
        assert caught.value.name == UNKNOWN
    other = "34" * 20
    with pytest.raises(Missing) as caught:
        opened(server, http).compare(REPOSITORY, other, UNKNOWN, soon())
    assert caught.value.name == UNKNOWN, "the head, which may still come, goes first"


def test_unknown_repository_is_for_a_person(server: testing.Forge, http: httpx2.Client) -> None:
    client = opened(server, http)
    variable = f"{server.kind.upper()}_TOKEN"
    for question in (
        lambda: client.compare(REPOSITORY, UNKNOWN, "34" * 20, soon()),
        lambda: client.commits(REPOSITORY, UNKNOWN, 20, soon()),
        lambda: client.files(REPOSITORY, UNKNOWN, soon()),
        lambda: client.tag(REPOSITORY, "v1", soon()),
        lambda: client.tags(REPOSITORY, "", soon()),
    ):
        with pytest.raises(PermanentError, match=variable):
            question()


def test_empty_repository(server: testing.Forge, http: httpx2.Client, tmp_path: Path) -> None:
    tmp_path.joinpath("bare.git").mkdir()
    testing.git(tmp_path / "bare.git", "init", "--bare", "--quiet", ".")
    server.add(REPOSITORY, tmp_path / "bare.git")
    client = opened(server, http)
    assert client.tags(REPOSITORY, "", soon()) == []
    with pytest.raises(Missing):
        client.commits(REPOSITORY, UNKNOWN, 20, soon())
    with pytest.raises(Missing):
        client.tag(REPOSITORY, "v1", soon())


def test_names_and_shas_are_checked_before_they_stand_in_an_address(server: testing.Forge, http: httpx2.Client) -> None:
    client = opened(server, http)
    for repository in ("acme", "acme/../x", "acme/web?x", "acme/web/", "/acme/web", "a%2fb/c", "acme/..", "acme/web\n"):
        with pytest.raises(ValueError, match="owner/name"):
            client.tags(repository, "", soon())
    for sha in ("main", "HEAD", "12" * 19, "12" * 20 + "\n", "../" * 13 + "x", "AB" * 20):
        with pytest.raises(ValueError, match="hexadecimal"):
            client.files(REPOSITORY, sha, soon())
        with pytest.raises(ValueError, match="hexadecimal"):
            client.compare(REPOSITORY, UNKNOWN, sha, soon())
    for name in ("", ".", "..", "a..b", "a/../b", "-/.x", "a b", "a\n", "/a", "a/", "\ud800"):
        with pytest.raises(ValueError):
            client.tag(REPOSITORY, name, soon())
    assert server.total_calls == 0


# Tokens, limits, faults


def test_token_goes_along_and_calls_without_one_work(
    built: Callable[[str], testing.Built], server: testing.Forge, http: httpx2.Client
) -> None:
    made = built("linear")
    server.add(REPOSITORY, made.path)
    opened(server, http, "t-1").tags(REPOSITORY, "", soon())
    opened(server, http, None).tags(REPOSITORY, "", soon())
    assert server.calls == {"t-1": 1, "": 1}
    server.tokens = {"other"}
    with pytest.raises(PermanentError, match=f"check {server.kind.upper()}_TOKEN") as caught:
        opened(server, http, "t-1").tags(REPOSITORY, "", soon())
    assert caught.value.status == 401
    assert "t-1" not in str(caught.value)


LIMITS = [
    ("github", lambda: testing.used_up(40), 40),
    ("github", lambda: testing.used_up(40, status=429), 40),
    ("github", lambda: testing.secondary(25), 25),
    ("github", lambda: testing.secondary(25, status=429), 25),
    ("github", lambda: testing.secondary(), 60),
    ("github", lambda: testing.Reply(429, b"slow down"), 60),
    ("github", lambda: testing.used_up(10_000_000), 86_400),
    ("github", lambda: testing.used_up(-500), 1),
    ("gitlab", lambda: testing.throttled(25), 25),
    ("gitlab", lambda: testing.throttled(reset=40), 40),
    ("gitlab", lambda: testing.throttled(), 60),
]


@pytest.mark.parametrize(("kind", "limit", "seconds"), LIMITS)
def test_limits_hold_until_the_time_they_name(
    kind: Any, limit: Callable[[], testing.Reply], seconds: int, http: httpx2.Client
) -> None:
    with testing.Forge(kind) as server:
        server.script.append(limit())
        with pytest.raises(RateLimited) as caught:
            opened(server, http).tags(REPOSITORY, "", soon())
        assert abs(caught.value.until - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(seconds=10)
        assert caught.value.scope == opened(server, http).scope
        assert caught.value.scope.startswith(f"{kind}:{httpx2.URL(server.url).netloc.decode()}:")
        assert caught.value.reason == "rate_limited"
        assert caught.value.retry_after is not None
        assert "secret" not in str(caught.value)
        assert server.total_calls == 1


def test_limit_in_the_middle_of_a_range(three_thousand: testing.Built, server: testing.Forge, http: httpx2.Client) -> None:
    server.add(REPOSITORY, three_thousand.path)
    limit = testing.used_up(40) if server.kind == "github" else testing.throttled(40)
    server.script.extend([None, None, None, limit])
    with pytest.raises(RateLimited):
        opened(server, http).compare(REPOSITORY, three_thousand.sha["v1.0.0"], three_thousand.sha["v2.0.0"], soon())
    assert server.total_calls == 4


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, b"", TransientError),
        (502, b"<html>bad gateway</html>", TransientError),
        (503, b'{"message": "maintenance"}', TransientError),
        (408, b"", TransientError),
        (401, b'{"message": "Bad credentials"}', PermanentError),
        (403, b'{"message": "Resource not accessible by personal access token"}', PermanentError),
        (403, b"<html>blocked</html>", PermanentError),
        (400, b"{}", PermanentError),
        (410, b'["no object"]', PermanentError),
        (451, b'{"message": ["a", "list"]}', PermanentError),
        (204, b"", PermanentError),
    ],
)
def test_refusals_have_a_name(
    status: int, body: bytes, error: type[TagshipError], server: testing.Forge, http: httpx2.Client
) -> None:
    server.script.append(testing.Reply(status, body))
    with pytest.raises(error) as caught:
        opened(server, http).tags(REPOSITORY, "", soon())
    assert not isinstance(caught.value, RateLimited | Missing)
    assert "<html>" not in str(caught.value)


def test_unreachable_slow_and_cut_answers_are_passing(
    built: Callable[[str], testing.Built], server: testing.Forge, http: httpx2.Client
) -> None:
    server.add(REPOSITORY, built("linear").path)
    client = opened(server, http)
    server.script.append(testing.Reply(200, b"[" + b" " * 1_000 + b"]", cut=100))
    with pytest.raises(TransientError):
        client.tags(REPOSITORY, "", soon())
    server.delay = 0.5
    with pytest.raises(TransientError, match="in time"):
        client.tags(REPOSITORY, "", Deadline(0.1))
    server.delay = 0
    server.stop()
    with pytest.raises(TransientError):
        client.tags(REPOSITORY, "", soon())
    server.start()
    assert len(client.tags(REPOSITORY, "", soon())) == 3


# Redirects


def test_renamed_repository_is_followed_within_the_host(
    three_thousand: testing.Built, server: testing.Forge, http: httpx2.Client
) -> None:
    server.add(REPOSITORY, three_thousand.path)
    server.rename(REPOSITORY, "acme/renamed")
    client = opened(server, http)
    made = three_thousand
    assert len(ids(client.compare(REPOSITORY, made.sha["v1.0.0"], made.sha["v2.0.0"], soon()))) == 3_000
    assert server.total_calls == {"github": 31, "gitlab": 33}[server.kind], "only the first is asked twice"
    assert client.tag(REPOSITORY, "v2.0.0", soon()).sha == made.sha["v2.0.0"]


@pytest.mark.parametrize("where", ["http://localhost:{port}{path}", "https://127.0.0.1:{port}{path}", "http://127.0.0.1:{other}",
    "http://127.0.0.1:{port}@127.0.0.1:{other}{path}", "//127.0.0.1:{other}{path}", "http://127.0.0.1:{port}/elsewhere",
    "http://user:pass@127.0.0.1:{port}{path}/x", "http://[::1", "ftp://127.0.0.1:{port}{path}"])  # fmt: skip
def test_redirect_to_anywhere_else_is_refused_and_gets_no_token(
    where: str, built: Callable[[str], testing.Built], server: testing.Forge, http: httpx2.Client
) -> None:
    with testing.Forge(server.kind, server.path) as thief:
        server.add(REPOSITORY, built("linear").path)
        server.rename(REPOSITORY, "acme/renamed")
        ports = {"port": httpx2.URL(server.url).port, "other": httpx2.URL(thief.url).port}
        server.moved_to = where.format(path=server.path, **ports)
        with pytest.raises(PermanentError, match=rf"check {server.kind.upper()}_.*URL"):
            opened(server, http).tags(REPOSITORY, "", soon())
        assert thief.total_calls == 0
        assert server.total_calls == 1


def test_redirects_in_a_row_are_followed_once(server: testing.Forge, http: httpx2.Client) -> None:
    place = f"{server.url}/api/v4/x"
    server.script.extend([testing.Reply(302, headers={"Location": place})] * 5)
    with pytest.raises(PermanentError, match="redirects twice"):
        opened(server, http).tags(REPOSITORY, "", soon())
    assert server.total_calls == 2


# Hostile answers

SHA = "ab" * 20
WRONG = [
    b"",
    b"null",
    b"[",
    b'"text"',
    b"3",
    b"[3]",
    b"[[]]",
    b"[{}]",
    b"{}",
    b'{"commits": 3}',
    b'\xff\xfe{"a": 1}',
    b"[" * 100_000,
    b'{"total_commits": NaN}',
    b'{"total_commits": ' + b"9" * 5_000 + b"}",
    b'[{"name": 3, "commit": {"sha": 3, "id": 3}}]',
    b'[{"name": "v1", "commit": {"sha": "not a sha", "id": "not a sha"}}]',
    b'[{"name": "v1", "commit": "x"}]',
    json.dumps([{"name": "x" * 5_000, "commit": {"sha": SHA, "id": SHA}}]).encode(),
    json.dumps([{"name": f"v{number}", "commit": {"sha": SHA, "id": SHA}} for number in range(101)]).encode(),
    json.dumps({"total_commits": -1, "behind_by": True, "merge_base_commit": {"sha": SHA}, "commits": []}).encode(),
    json.dumps({"total_commits": 1, "behind_by": 0, "merge_base_commit": None, "commits": []}).encode(),
    json.dumps({"id": SHA, "object": {"type": ["commit"], "sha": SHA}, "files": "x"}).encode(),
    json.dumps({"files": [{"filename": "x", "status": 3}], "object": {"type": "commit", "sha": "../../x"}}).encode(),
    json.dumps([{"id": SHA, "message": {"a": 1}, "new_path": 3, "commit": {"message": 3}}]).encode(),
]
QUESTIONS: dict[str, Callable[[Forge], Any]] = {
    "compare": lambda client: client.compare(REPOSITORY, UNKNOWN, SHA, soon()),
    "ancestor": lambda client: client.is_ancestor(REPOSITORY, UNKNOWN, SHA, soon()),
    "commits": lambda client: client.commits(REPOSITORY, SHA, 20, soon()),
    "tags": lambda client: client.tags(REPOSITORY, "", soon()),
    "tag": lambda client: client.tag(REPOSITORY, "v1", soon()),
    "files": lambda client: client.files(REPOSITORY, SHA, soon()),
}


@pytest.mark.parametrize("question", list(QUESTIONS))
def test_wrong_answers_are_a_named_error_or_nothing(question: str, server: testing.Forge, http: httpx2.Client) -> None:
    for body in WRONG:
        server.script.clear()
        server.script.extend([testing.Reply(200, body)] * 20)
        try:
            found = QUESTIONS[question](opened(server, http))
        except (TransientError, PermanentError):
            continue
        assert not found or isinstance(found, tuple | list | Comparison) or found.merge_base == SHA, body[:80]
        assert not isinstance(found, Comparison) or not found.is_complete or found.merge_base == SHA


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([SHA, UNKNOWN, "commit", "tag", "v1"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["sha", "id", "commit", "commits", "total_commits", "behind_by", "merge_base_commit", "object", "type", "name",
             "files", "filename", "status", "new_path", "old_path", "message", "author", "committer", "date", "compare_timeout"]
        ),
        inner,
        max_size=8,
    ),
    max_leaves=25,
)  # fmt: skip


@examples(150, *HealthCheck)
@given(junk=JUNK, question=st.sampled_from(list(QUESTIONS)), status=st.sampled_from([200, 200, 200, 404, 422, 400, 403]))
def test_no_answer_ends_in_another_exception(
    junk: Any, question: str, status: int, server: testing.Forge, http: httpx2.Client
) -> None:
    server.script.clear()
    server.script.extend([testing.reply(junk, status)] * 12)
    with suppress(TransientError, PermanentError):
        QUESTIONS[question](opened(server, http))


@pytest.mark.parametrize("etag", ['"\xe9"', "e" * 5_000, '"a\tb"', "W/", '"a" , "b"'])
def test_odd_etag_is_not_sent_back(etag: str, server: testing.Forge, http: httpx2.Client) -> None:
    access = ForgeAccess(client=http, base_url=server.url)
    server.script.extend([testing.Reply(200, b"[]", {"ETag": etag})] * 2)
    for _ in range(2):
        assert PROVIDERS[server.kind].open_forge(access).tags(REPOSITORY, "", soon()) == []
    assert "if-none-match" not in server.requests[-1].headers


@pytest.mark.parametrize("tail", ["x" * 40_000, "\xe9", "../x", "a/../../x"])
def test_odd_redirect_within_the_host_is_refused(tail: str, server: testing.Forge, http: httpx2.Client) -> None:
    root = server.url + ("/api/v4" if server.kind == "gitlab" else "")
    server.script.append(testing.Reply(301, headers={"Location": f"{root}/{tail}"}))
    with pytest.raises(PermanentError, match="redirects to another place"):
        opened(server, http).tags(REPOSITORY, "", soon())
    assert server.total_calls == 1


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        name: st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)
        | st.sampled_from(["0", "9" * 11, "-1", "Tue, 99", "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"])
        | st.sampled_from(["application/json", "gzip", "/" + "x" * 70_000, '"' + "e" * 5_000 + '"', "/%00", "http://[", "//"])
        for name in ("Retry-After", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit-Reset", "Date", "ETag", "Link",
                     "Location", "Content-Type", "Content-Encoding", "X-Next-Page")
    },
)  # fmt: skip


@examples(150, *HealthCheck)
@given(
    headers=HEADERS, status=st.sampled_from([200, 301, 304, 307, 403, 404, 429, 503]), question=st.sampled_from(list(QUESTIONS))
)
def test_no_header_ends_in_another_exception(
    headers: dict[str, str], status: int, question: str, server: testing.Forge, http: httpx2.Client
) -> None:
    """Asked twice of one process: what was kept from the first answer goes into the second request."""
    access = ForgeAccess(client=http, base_url=server.url, token="secret")
    body = b'[{"name": "v1", "commit": {"sha": "%s", "id": "%s"}}]' % (SHA.encode(), SHA.encode())
    server.script.clear()
    server.script.extend([testing.Reply(status, b"" if status == 304 else body, headers)] * 12)
    for _ in range(2):
        with suppress(TransientError, PermanentError):
            QUESTIONS[question](PROVIDERS[server.kind].open_forge(access))


@pytest.mark.parametrize("question", list(QUESTIONS))
def test_page_that_is_no_json_is_passing(question: str, server: testing.Forge, http: httpx2.Client) -> None:
    for headers, body in (({"Content-Type": "text/html"}, b"<html>sign in</html>"), ({"Content-Type": "text/html"}, b"[]")):
        server.script.append(testing.Reply(200, body, headers))
        with pytest.raises(TransientError, match="not as documented"):
            QUESTIONS[question](opened(server, http))


@pytest.mark.parametrize("question", list(QUESTIONS))
def test_huge_answer_is_not_read_to_its_end(question: str, server: testing.Forge, http: httpx2.Client) -> None:
    server.script.append(testing.Reply(200, b" " * (9 * 1024 * 1024)))
    with pytest.raises(TransientError, match="more than"):
        QUESTIONS[question](opened(server, http))


def _commit(sha: str) -> dict[str, Any]:
    return {
        "sha": sha,
        "id": sha,
        "message": "m",
        "commit": {"message": "m"},
        "name": f"v{sha}",
        "new_path": sha,
        "old_path": sha,
    }


def test_pages_without_end_and_links_to_another_host(server: testing.Forge, http: httpx2.Client) -> None:
    """The same page for ever; `next` points at a thief. Nothing follows the address, and something ends the loop."""
    with testing.Forge(server.kind) as thief:
        headers = {"Link": f'<{thief.url}/steal>; rel="next"', "X-Next-Page": "2"}
        page = [_commit(f"{number:040x}") for number in range(100)]
        range_page = {"total_commits": 10**12, "behind_by": 0, "merge_base_commit": {"sha": SHA}, "commits": page}
        for question in QUESTIONS:
            server.script.clear()
            server.forget()

            def answer(request: Any) -> testing.Reply:
                is_list = "/merge_base" not in request.target and "compare" not in request.target
                return testing.Reply(200, json.dumps(page if is_list else {**range_page, "id": SHA[::-1]}).encode(), headers)

            server.script.extend([answer] * 2_000)
            try:
                found = QUESTIONS[question](opened(server, http))
                assert not isinstance(found, Comparison) or not found.is_complete
            except (TransientError, PermanentError):
                pass
            assert server.total_calls <= 101, question
        assert thief.total_calls == 0


@pytest.mark.parametrize(("count", "message", "kept"), [(25_000, "m", 20_000), (1_500, "m" * 65_536, 1_024)])
def test_range_beyond_our_bounds_keeps_the_newest(
    count: int, message: str, kept: int, server: testing.Forge, http: httpx2.Client
) -> None:
    """Commit 1 is the oldest, commit `count` the head."""

    def commits(numbers: range) -> list[dict[str, Any]]:
        if server.kind == "gitlab":
            return [{"id": f"{number:040x}", "message": message} for number in numbers]
        return [{"sha": f"{number:040x}", "commit": {"message": message}} for number in numbers]

    def answer(request: Any) -> testing.Reply:
        if "merge_base" in request.target:
            return testing.reply({"id": UNKNOWN})
        page = request.number("page", 1, 10**6)
        if server.kind == "gitlab":
            return testing.reply(
                commits(range(count - 100 * (page - 1), max(count - 100 * page, 0), -1)), X_Next_Page=str(page + 1)
            )
        shown = commits(range(100 * page - 99, min(100 * page, count) + 1))
        return testing.reply({"total_commits": count, "behind_by": 0, "merge_base_commit": {"sha": UNKNOWN}, "commits": shown})

    server.script.extend([answer] * 300)
    found = opened(server, http).compare(REPOSITORY, UNKNOWN, f"{count:040x}", soon())
    assert isinstance(found, Comparison)
    assert [int(sha, 16) for sha in ids(found)] == list(range(count, count - kept, -1))
    assert not found.is_complete
    assert found.total == {"github": count, "gitlab": None}[server.kind]


def test_total_that_the_pages_do_not_hold_is_incomplete(built: Callable[[str], testing.Built], http: httpx2.Client) -> None:
    made = built("linear")
    base, head = made.sha["v1.0.0"], made.sha["v1.2.0"]
    with testing.Forge("github") as server:
        server.add(REPOSITORY, made.path)

        def lying(request: Any) -> testing.Reply:
            honest = json.loads(server._api.answer(request).body)
            return testing.reply({**honest, "total_commits": honest["total_commits"] + 1})

        server.script.append(lying)
        found = opened(server, http).compare(REPOSITORY, base, head, soon())
        assert isinstance(found, Comparison)
        assert (found.is_complete, found.total, len(found.commits)) == (False, 6, 5)


# GitLab's second way


@pytest.mark.parametrize(("count", "is_complete"), [(40, True), (3_000, True)])
def test_gitlab_that_takes_no_ranges_is_asked_to_compare(
    count: int, is_complete: bool, three_thousand: testing.Built, http: httpx2.Client
) -> None:
    made = three_thousand
    head = made.sha["v2.0.0"]
    base = testing.git(made.path, "rev-list", "--first-parent", f"--skip={count}", "-n1", head).decode().strip()
    base = base or made.sha["v1.0.0"]
    with testing.Forge("gitlab") as server:
        server.add(REPOSITORY, made.path)
        server.refuses_ranges = True
        client = opened(server, http)
        check_pair(client, made, base, head)


def test_gitlab_whose_list_is_not_the_range_is_asked_to_compare(
    built: Callable[[str], testing.Built], http: httpx2.Client
) -> None:
    """A list that begins with another commit than the head is not believed."""
    made = built("linear")
    base, head = made.sha["v1.0.0"], made.sha["v1.2.0"]
    with testing.Forge("gitlab") as server:
        server.add(REPOSITORY, made.path)
        server.script.extend([None, testing.reply([_commit(base)])])
        found = opened(server, http).compare(REPOSITORY, base, head, soon())
        assert set(ids(found)) == made.range(base, head)


def test_hundred_tags_without_a_link_are_asked_on(http: httpx2.Client) -> None:
    """A proxy may leave the Link header out: a full page is then followed by another question."""
    with testing.Forge("github") as server:
        tags = [{"name": f"v{number}", "commit": {"sha": f"{number:040x}"}} for number in range(130)]
        server.script.extend([testing.reply(tags[:100]), testing.reply(tags[100:])])
        assert len(opened(server, http).tags(REPOSITORY, "", soon())) == 130


def test_gitlab_compare_that_may_be_cut_says_so(three_thousand: testing.Built, http: httpx2.Client) -> None:
    made = three_thousand
    base, head = made.sha["v1.0.0"], made.sha["v2.0.0"]
    with testing.Forge("gitlab") as server:
        server.add(REPOSITORY, made.path)
        server.anonymous_cap = True
        assert len(ids(opened(server, http, None).compare(REPOSITORY, base, head, soon()))) == 3_000, "pages have no cap"
        server.refuses_ranges = True
        found = opened(server, http, None).compare(REPOSITORY, base, head, soon())
        assert isinstance(found, Comparison)
        assert (found.is_complete, found.total, len(found.commits)) == (False, None, 100)
        assert found.commits[0].id == head
        server.compare_timeout = True
        found = opened(server, http).compare(REPOSITORY, base, head, soon())
        assert isinstance(found, Comparison)
        assert not found.is_complete


def test_file_renamed_onto_another_is_one_change_a_path(http: httpx2.Client) -> None:
    with testing.Forge("github") as server:
        files = [
            {"filename": "b", "previous_filename": "a", "status": "renamed"},
            {"filename": "a", "status": "added"},
            {"filename": "c", "status": "unchanged"},
            {"filename": "d", "previous_filename": "x", "status": "copied"},
            {"filename": "e", "status": "changed"},
        ]
        server.script.append(testing.reply({"files": files}))
        assert opened(server, http).files(REPOSITORY, SHA, soon()) == (
            FileChange("a", "M"),
            FileChange("b", "A"),
            FileChange("d", "A"),
            FileChange("e", "M"),
        )
