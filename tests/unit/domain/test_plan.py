"""The body that is POSTed: within the endpoint's limits, head first, times that never rise, what each mode sends."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.commit_range import payload_range, with_files
from shared.domain.names import is_full_name
from shared.domain.push import Commit, FileChange, Push
from shared.domain.reduced_bodies import smaller
from shared.domain.release_plan import Listed, fit_repository, is_email, plan_commits, plan_release
from shared.domain.versions import MAX_VERSION
from tests.builders import NOW, commit, push
from webhook.local.sample_webhooks import ZERO, sha

SPEC: dict[str, Any] = {"projects": ["shop"], "set_commits": "auto", "finalize": True, "environment": None}
LATER, EARLIER = NOW + timedelta(hours=1), NOW - timedelta(hours=1)


def plan(of: Push | None = None, *commits: Commit, repository: str = "acme/shop", **spec: Any) -> dict[str, Any]:
    listed = [Listed(repository, commits)] if commits else []
    return plan_release(of or push("refs/tags/v1"), version="v1", spec={**SPEC, **spec}, received_at=NOW, listed=listed)


def planned(**fields: Any) -> dict[str, Any]:
    (only,) = plan_commits([commit(**fields)], "acme/shop")
    return only


def times(*moments: datetime | None) -> list[datetime | None]:
    commits = [commit(str(place), timestamp=moment) for place, moment in enumerate(moments)]
    return [datetime.fromisoformat(item["timestamp"]) if "timestamp" in item else None for item in plan_commits(commits, "a/b")]


# --- the release -----------------------------------------------------------------------------------------------------


def test_a_tag_is_sent_with_its_name_as_ref_and_the_arrival_as_release_date() -> None:
    assert plan() == {"version": "v1", "projects": ["shop"], "ref": "v1", "dateReleased": NOW.isoformat()}


def test_a_branch_is_sent_with_its_commit_as_ref() -> None:
    assert plan(push())["ref"] == push().sha


@pytest.mark.parametrize(("length", "is_kept"), [(200, True), (201, False)])
def test_a_tag_too_long_for_ref_gives_its_commit_instead(length: int, is_kept: bool) -> None:
    of = push("refs/tags/" + "t" * length)
    assert plan(of)["ref"] == (of.ref.name if is_kept else of.sha)


def test_a_release_that_is_not_finalized_has_no_release_date() -> None:
    assert plan(finalize=False)["dateReleased"] is None


def test_commits_that_sentry_leaves_out_are_not_sent_and_not_counted() -> None:
    marked, other = commit("Bump #skipsentry"), commit("b")
    assert [item["id"] for item in plan(None, marked, other)["commits"]] == [other.id]
    assert "commits" not in plan(None, marked)
    found = replace(payload_range(push()), commits=(marked, other)).as_json()
    assert (found["commits"], found["with_files"]) == (1, 1)


def test_a_release_without_known_commits_sends_no_empty_list() -> None:
    assert "commits" not in plan()


@pytest.mark.parametrize("mode", ["auto", "payload"])
def test_auto_and_payload_send_the_commits(mode: str) -> None:
    body = plan(None, commit(), set_commits=mode)
    assert [item["id"] for item in body["commits"]] == [commit().id]
    assert "refs" not in body


def test_several_repositories_of_one_release_go_in_one_list() -> None:
    listed = [Listed("acme/shop", [commit("a")]), Listed("acme/api", [commit("b"), commit("c")])]
    body = plan_release(push(), version="v1", spec=SPEC, received_at=NOW, listed=listed)
    assert [item["repository"] for item in body["commits"]] == ["acme/shop", "acme/api", "acme/api"]


def test_refs_names_the_repository_and_its_commit_and_leaves_the_range_to_sentry() -> None:
    body = plan(push(), commit(), set_commits="refs", repository="Acme / Shop")
    assert body["refs"] == [{"repository": "Acme / Shop", "commit": push().sha, "previousCommit": push().before}]
    assert "commits" not in body


@pytest.mark.parametrize(
    "of",
    [push("refs/tags/v1"), push("refs/tags/v1", before=sha("moved")), push(before=ZERO)],
    ids=["tag", "moved tag", "new branch"],
)
def test_refs_claims_no_previous_commit_that_is_not_one(of: Push) -> None:
    assert plan(of, set_commits="refs")["refs"] == [{"repository": "acme/shop", "commit": of.sha}]


def test_a_repository_of_a_ref_is_cut_at_200_characters() -> None:
    assert len(plan(push(repository="acme/" + "r" * 240), set_commits="refs")["refs"][0]["repository"]) == 200


def test_the_plan_is_json() -> None:
    body = plan(push(), commit("größe 📦"))
    assert json.loads(json.dumps(body)) == body
    assert len(body["version"]) <= MAX_VERSION


# --- commits ---------------------------------------------------------------------------------------------------------


def test_a_commit_is_sent_with_all_that_is_known() -> None:
    assert planned() == {
        "id": commit().id,
        "repository": "acme/shop",
        "message": "Count in cents",
        "author_name": "Ada Okafor",
        "author_email": "ada@acme.test",
        "timestamp": NOW.isoformat(),
        "patch_set": [{"path": "shop/basket.py", "type": "M"}],
    }


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"author_name": None}, "author_name"),
        ({"author_name": " \t"}, "author_name"),
        ({"author_email": None}, "author_email"),
        ({"author_email": ""}, "author_email"),
        ({"author_email": "noreply"}, "author_email"),
        ({"author_email": "@acme.test"}, "author_email"),
        ({"author_email": "ada@"}, "author_email"),
        ({"author_email": "ada okafor@acme.test"}, "author_email"),
        ({"author_email": "a" * 66 + "@acme.test"}, "author_email"),
        ({"timestamp": None}, "timestamp"),
        ({"files": None}, "patch_set"),
    ],
)
def test_what_is_unknown_or_junk_is_left_out(fields: dict[str, Any], key: str) -> None:
    assert key not in planned(**fields)


def test_an_address_of_75_characters_is_kept_whole() -> None:
    address = "a" * 65 + "@acme.test"
    assert planned(author_email=f" {address} ")["author_email"] == address
    assert not is_email("a" + address)


def test_a_name_is_cut_at_128_characters() -> None:
    assert planned(author_name="n" * 200)["author_name"] == "n" * 128


def test_a_path_over_510_characters_or_blank_is_left_out_and_the_rest_kept() -> None:
    files = (FileChange("p" * 510, "A"), FileChange("p" * 511, "M"), FileChange(" ", "D"), FileChange("kept", "D"))
    assert [change["path"] for change in planned(files=files)["patch_set"]] == ["p" * 510, "kept"]


def test_a_commit_that_changed_no_file_says_so() -> None:
    assert planned(files=())["patch_set"] == []


def test_a_missing_message_is_an_empty_one_never_null() -> None:
    assert planned(message="")["message"] == ""


@pytest.mark.parametrize(
    ("name", "fitted"),
    [
        ("acme/shop", "acme/shop"),
        ("a" * 30 + "/" + "b" * 33, "a" * 30 + "/" + "b" * 33),
        ("a" * 30 + "/" + "b" * 34, "~0b1e/" + "a" * 7 + "/" + "b" * 34),
        (
            "acme/platform-engineering/commerce/storefront-services/checkout/basket-service",
            "~0b1e/torefront-services/checkout/basket-service",
        ),
        ("acme/" + "r" * 100, "~0b1e/" + "r" * 42),
    ],
)
def test_a_repository_name_fits_into_64_characters_by_its_end(name: str, fitted: str) -> None:
    found = fit_repository(name)
    assert re.sub(r"^~[0-9a-f]{20}/", "~0b1e/", found) == fitted
    assert len(found) <= 64


@given(
    st.lists(st.sampled_from(["a", "a" * 40, "b/c", "x" * 63]), min_size=1, max_size=8).map("/".join),
    st.lists(st.sampled_from(["a", "a" * 40, "b/c", "x" * 63]), min_size=1, max_size=8).map("/".join),
    st.sampled_from([64, 200]),
)
def test_no_two_repositories_get_one_name(one: str, other: str, most: int) -> None:
    assert (fit_repository(one, most) == fit_repository(other, most)) is (one == other)
    assert len(fit_repository(one, most)) <= most


def test_a_long_path_takes_no_other_repositorys_name() -> None:
    victim = "group/project"
    assert fit_repository(f"{'long-' * 12}/{victim}") != victim
    assert not is_full_name(fit_repository(f"{'long-' * 12}/{victim}"))


# --- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ((LATER, NOW, EARLIER), (LATER, NOW, EARLIER)),
        ((NOW, LATER, EARLIER), (NOW, NOW, EARLIER)),
        ((EARLIER, LATER, NOW), (EARLIER, EARLIER, EARLIER)),
        ((NOW, None, EARLIER), (NOW, NOW, EARLIER)),
        ((LATER, EARLIER, NOW), (LATER, EARLIER, NOW)),  # a merged branch is listed behind what it is newer than
        ((None, EARLIER, NOW), (NOW, EARLIER, NOW)),
        ((LATER, EARLIER, None, NOW), (LATER, EARLIER, EARLIER, NOW)),
        ((NOW, None, None), (NOW, NOW, NOW)),
        ((None, None), (None, None)),
        ((NOW, NOW), (NOW, NOW)),
        ((), ()),
    ],
)
def test_times_are_true_and_the_head_stays_the_newest(
    given: tuple[datetime | None, ...], sent: tuple[datetime | None, ...]
) -> None:
    assert times(*given) == list(sent)


def test_repositories_with_and_without_times_are_never_mixed() -> None:
    listed = [Listed("acme/shop", [commit("a")]), Listed("acme/api", [commit("b", timestamp=None)])]
    body = plan_release(push(), version="v1", spec=SPEC, received_at=LATER, listed=listed)
    assert [item["timestamp"] for item in body["commits"]] == [NOW.isoformat(), LATER.isoformat()]


def test_where_no_repository_knows_a_time_none_is_invented() -> None:
    listed = [Listed(name, [commit(name, timestamp=None)]) for name in ("acme/shop", "acme/api")]
    body = plan_release(push(), version="v1", spec=SPEC, received_at=LATER, listed=listed)
    assert not [item for item in body["commits"] if "timestamp" in item]


# --- a body that was too large ---------------------------------------------------------------------------------------


def test_a_body_that_was_too_large_loses_its_files_first_then_the_older_half() -> None:
    body = plan(push(), *(commit(str(number)) for number in range(5)))
    bare, said = smaller(body) or ({}, "")
    assert said == "the target takes no file lists of this size"
    assert [set(item) & {"patch_set"} for item in bare["commits"]] == [set()] * 5
    half, said = smaller(bare) or ({}, "")
    assert [item["id"] for item in half["commits"]] == [sha("0"), sha("1")]
    assert said == "the target takes the newest 2 commits only"


def test_what_a_body_that_was_too_large_loses_is_the_oldest_whatever_repository_it_is_of() -> None:
    def part(name: str, *hours: int) -> Listed:
        return Listed(name, [commit(f"{name}{hour}", timestamp=NOW + timedelta(hours=hour), files=None) for hour in hours])

    listed = [part("acme/shop", 8, 3, 1), part("acme/api", 9, 7, 2)]
    body = plan_release(push(), version="v1", spec=SPEC, received_at=LATER, listed=listed)
    half, said = smaller(body) or ({}, "")
    assert [item["id"] for item in half["commits"]] == [sha("acme/shop8"), sha("acme/api9"), sha("acme/api7")]
    assert said == "the target takes the newest 3 commits only"


def test_a_body_shrinks_until_nothing_is_left_to_leave_out_and_stays_a_release() -> None:
    body: dict[str, Any] | None = plan(push(), *(commit(str(number)) for number in range(100)))
    steps = 0
    while body is not None and (step := smaller(body)) is not None:
        body, steps = step[0], steps + 1
    assert body is not None
    assert (body["version"], body["projects"], "commits" in body) == ("v1", ["shop"], False)
    assert steps < 10


# --- the range that a payload alone knows ----------------------------------------------------------------------------

ONE, TWO, THREE = commit("one"), commit("two"), commit("three")


def range_of(**fields: Any) -> Any:
    defaults: dict[str, Any] = {
        "commits": (ONE, TWO, THREE),
        "head_commit": THREE,
        "sha": THREE.id,
        "after": THREE.id,
        "commits_total": 3,
    }
    return payload_range(push(fields.pop("ref", "refs/heads/main"), **{**defaults, **fields}))


def test_a_whole_branch_push_is_its_commits_newest_first_and_proven() -> None:
    found = range_of()
    assert found.as_json() == {
        "source": "payload",
        "base": sha("before"),
        "head": THREE.id,
        "commits": 3,
        "with_files": 3,
        "partial": None,
        "proven": True,
        "bases": [sha("before")],
        "base_tag": None,
        "how": "push",
        "tags": None,
    }
    assert found.commits == (THREE, TWO, ONE)


def test_the_head_leads_whatever_order_the_payload_has() -> None:
    assert range_of(commits=(THREE, ONE, TWO)).commits[0] == THREE


def test_a_commit_listed_twice_counts_once() -> None:
    assert range_of(commits=(ONE, TWO, TWO, THREE)).commits == (THREE, TWO, ONE)


def test_a_cut_payload_is_partial_and_says_how_much_is_missing() -> None:
    found = range_of(commits_total=57)
    assert (found.partial, found.is_proven) == ("the payload lists 3 of 57 commits", False)
    assert range_of(commits_total=None).partial == "the payload lists 3 of more commits"


@pytest.mark.parametrize("forced", [True, None])
def test_a_push_that_was_or_may_have_been_forced_is_whole_but_not_proven(forced: bool | None) -> None:
    found = range_of(is_forced=forced)
    assert (found.partial, found.is_proven) == (None, False)


def test_a_new_branch_has_no_base_and_is_partial() -> None:
    found = range_of(before=ZERO)
    assert (found.base, found.is_proven) == (None, False)
    assert "the branch is new" in found.partial


def test_a_tag_lists_at_most_its_own_commit_and_claims_no_range() -> None:
    found = range_of(ref="refs/tags/v1", commits=(), before=sha("moved from"), commits_total=None)
    assert (found.commits, found.base, found.is_proven) == ((THREE,), None, False)
    assert "a tag push carries no commit range" in found.partial


def test_a_tag_of_which_nothing_is_listed_has_an_empty_range_at_its_commit() -> None:
    found = range_of(ref="refs/tags/v1", commits=(), head_commit=None)
    assert (found.source, found.commits, found.head) == ("none", (), THREE.id)


def test_a_head_commit_that_is_not_the_head_is_not_listed() -> None:
    assert range_of(commits=(), head_commit=ONE).commits == ()


def test_file_lists_that_are_known_are_filled_in_and_never_replaced() -> None:
    bare = commit("one", files=None)
    found = with_files(range_of(commits=(bare, TWO, THREE)), {ONE.id: ONE, TWO.id: commit("two", files=())})
    assert [item.files for item in found.commits] == [THREE.files, TWO.files, ONE.files]
    assert found.as_json()["with_files"] == 3
