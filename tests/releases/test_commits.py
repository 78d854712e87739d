"""commits[] of a release (1.5): order, replacement, authors, repositories, files."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from releases.tables.releases import commit_files
from tests.releases.caller import Caller
from tests.releases.reading import heads, ids


def at(hour: int) -> str:
    return f"2020-01-01T{hour:02}:00:00Z"


def test_1_5_1_newest_first_by_timestamp(either_api: Caller) -> None:
    either_api.made(
        commits=[{"id": "old", "timestamp": at(1)}, {"id": "new", "timestamp": at(3)}, {"id": "mid", "timestamp": at(2)}]
    )
    assert ids(either_api) == ["new", "mid", "old"]
    assert either_api.shown()["lastCommit"]["id"] == "new"


def test_1_5_1_no_timestamps_keep_the_clients_order(api: Caller) -> None:
    api.made(commits=[{"id": "c"}, {"id": "a"}, {"id": "b"}])
    assert ids(api) == ["c", "a", "b"]


def test_1_5_1_mixed_timestamps_do_not_fail(api: Caller) -> None:
    api.made(commits=[{"id": "none"}, {"id": "dated", "timestamp": at(1)}, {"id": "null", "timestamp": None}])
    assert ids(api) == ["dated", "none", "null"]


def test_1_5_2_skipsentry_drops_a_commit(api: Caller) -> None:
    shown = api.made(commits=[{"id": "a", "message": "x #skipsentry"}, {"id": "b", "message": "y"}])
    assert (ids(api), shown["commitCount"]) == (["b"], 1)


def test_1_5_2_a_null_message_does_not_fail(api: Caller) -> None:
    api.made(commits=[{"id": "a", "message": None}])
    assert api.commits()[0]["message"] is None


def test_1_5_2_all_skipped_leaves_none(api: Caller) -> None:
    api.made(commits=[{"id": "a"}])
    shown = api.made(commits=[{"id": "b", "message": "#skipsentry"}])
    assert (ids(api), shown["commitCount"], shown["lastCommit"]) == ([], 0, None)


def test_1_5_4_an_unknown_repository_is_created_and_none_is_a_placeholder(either_api: Caller) -> None:
    either_api.made(commits=[{"id": "a", "repository": "acme/shop"}, {"id": "b"}, {"id": "c", "repository": ""}])
    repos = either_api.get("repos/").json
    assert [one["name"] for one in repos] == ["acme/shop", "organization-1"]
    assert repos[0]["provider"] == {"id": "unknown", "name": "Unknown Provider"}


def author(api: Caller, **fields: Any) -> Any:
    api.made(commits=[{"id": "a", **fields}])
    return api.commits()[0]["author"]


def test_1_5_5_the_author_is_found_by_lower_cased_email(api: Caller) -> None:
    assert author(api, author_email="Ann@Acme.Test", author_name="Ann") == {"name": "Ann", "email": "ann@acme.test"}


def test_1_5_5_any_text_is_an_email(api: Caller) -> None:
    assert author(api, author_email="not an email", author_name="A")["email"] == "not an email"


def test_1_5_5_an_email_is_made_from_the_name(api: Caller) -> None:
    assert author(api, author_name="Ann O'Lee-1_x.y")["email"] == "annolee-1_x.y@localhost"


def test_1_5_5_a_made_email_is_cut_to_75(api: Caller) -> None:
    email = author(api, author_name="n" * 128)["email"]
    assert email == "n" * 72 + "..."


def test_1_5_5_neither_is_no_author(api: Caller) -> None:
    assert author(api) == {}
    assert author(api, author_name="", author_email=None) == {}
    assert author(api, author_name="Ann", author_email="") == {}


def test_1_5_5_the_first_commit_of_an_address_names_its_author(api: Caller) -> None:
    sent = [{"id": str(n), "author_email": "a@b.test", "author_name": name} for n, name in enumerate(("New", "Old"))]
    assert api.made(commits=sent)["authors"] == [{"name": "New", "email": "a@b.test"}]


def test_1_5_5_an_existing_authors_name_is_overwritten_even_with_null(either_api: Caller) -> None:
    author(either_api, author_email="a@b.test", author_name="Old")
    assert author(either_api, author_email="a@b.test", author_name="New")["name"] == "New"
    assert author(either_api, author_email="a@b.test")["name"] is None


def test_1_5_5_a_members_commit_shows_the_member(api: Caller, grant: Any) -> None:
    grant(user="Ann@acme.test".lower())
    shown = author(api, author_email="ANN@acme.test", author_name="A")
    assert (shown["username"], shown["isActive"]) == ("ann@acme.test", True)
    assert api.shown()["authors"] == [shown]


def test_1_5_6_commits_are_replaced_not_merged(either_api: Caller) -> None:
    either_api.made(commits=[{"id": "a"}, {"id": "b"}])
    shown = either_api.made(commits=[{"id": "c"}])
    assert (ids(either_api), shown["commitCount"]) == (["c"], 1)


def test_1_5_6_an_empty_list_changes_nothing(api: Caller) -> None:
    api.made(commits=[{"id": "a"}])
    assert api.made(commits=[])["commitCount"] == 1


def test_1_5_7_absent_keys_keep_stored_data(either_api: Caller) -> None:
    full = {"id": "a", "message": "m", "author_email": "a@b.test", "author_name": "A", "timestamp": at(1)}
    either_api.made(commits=[full])
    before = either_api.commits()[0]
    either_api.made("2.0", commits=[{"id": "a"}])
    after = either_api.commits("2.0")[0]
    assert {**after, "releases": []} == {**before, "releases": []}
    assert either_api.shown("2.0")["authors"] == [{"name": "A", "email": "a@b.test"}]


def test_1_5_7_present_keys_are_updated(either_api: Caller) -> None:
    either_api.made(commits=[{"id": "a", "message": "old", "timestamp": at(1)}])
    either_api.made("2.0", commits=[{"id": "a", "message": "new", "timestamp": at(2), "author_email": "x@y.test"}])
    commit = either_api.commits()[0]
    assert (commit["message"], commit["dateCreated"], commit["author"]["email"]) == ("new", at(2), "x@y.test")


def test_1_5_7_the_same_sha_in_two_repositories_is_two_commits(api: Caller) -> None:
    api.made(commits=[{"id": "a", "repository": "x", "message": "1"}, {"id": "a", "repository": "y", "message": "2"}])
    assert [commit["message"] for commit in api.commits()] == ["1", "2"]


def test_1_5_7_a_new_commit_without_timestamp_is_from_now(api: Caller) -> None:
    shown = api.made(commits=[{"id": "a"}])
    assert shown["lastCommit"]["dateCreated"] == shown["dateCreated"]


def test_1_5_8_files_are_unique_per_path_and_never_removed(either_api: Caller) -> None:
    def send(*files: tuple[str, str]) -> None:
        either_api.made(commits=[{"id": "a", "patch_set": [{"path": path, "type": kind} for path, kind in files]}])

    send(("x", "A"), ("y", "M"), ("x", "D"))
    send(("z", "D"))
    either_api.made(commits=[{"id": "a", "patch_set": None}])
    with either_api.app.extensions["releases"].reader.begin() as connection:
        query = sa.select(commit_files.c.path, commit_files.c.type).order_by(commit_files.c.path)
        assert [tuple(row) for row in connection.execute(query)] == [("x", "A"), ("y", "M"), ("z", "D")]


def test_1_5_9_a_commit_sent_twice_is_linked_once(either_api: Caller) -> None:
    either_api.made(commits=[{"id": "a"}, {"id": "b"}, {"id": "a", "message": "later"}])
    assert ids(either_api) == ["a", "b"]
    assert either_api.commits()[0]["message"] == "later"


def test_1_5_10_repeats_are_counted_and_authors_are_distinct(api: Caller) -> None:
    one = {"id": "a", "author_email": "a@b.test", "author_name": "A"}
    shown = api.made(commits=[one, {"id": "b", "author_email": "A@B.test", "author_name": "A"}, one])
    assert shown["commitCount"] == 3
    assert shown["authors"] == [{"name": "A", "email": "a@b.test"}]


def test_1_5_10_authors_of_commits_stored_before_are_named(api: Caller) -> None:
    api.made(commits=[{"id": "a", "author_email": "a@b.test", "author_name": "A"}])
    assert api.made("2.0", commits=[{"id": "a"}])["authors"] == [{"name": "A", "email": "a@b.test"}]


def test_1_5_11_the_first_commit_of_each_repository_is_its_head_once(api: Caller) -> None:
    api.made(commits=[{"id": "x2", "repository": "x"}, {"id": "x1", "repository": "x"}, {"id": "y1", "repository": "y"}])
    assert heads(api) == [("x", "x2"), ("y", "y1")]
    api.made(commits=[{"id": "x3", "repository": "x"}, {"id": "z1", "repository": "z"}])
    assert heads(api) == [("x", "x2"), ("y", "y1"), ("z", "z1")]


def test_5_000_commits_with_files_are_stored_and_read_back_page_by_page(either_api: Caller, either_database: Engine) -> None:
    sent = [
        {
            "id": f"{n:040x}",
            "repository": "acme/shop",
            "message": f"change {n}",
            "author_name": f"Author {n % 50}",
            "author_email": f"author{n % 50}@acme.test",
            "patch_set": [{"path": f"src/{n}.py", "type": "M"}, {"path": f"tests/{n}.py", "type": "A"}],
        }
        for n in range(5_000)
    ]
    shown = either_api.made(commits=sent)
    assert (shown["commitCount"], len(shown["authors"])) == (5_000, 50)
    read: list[str] = []
    path = "releases/1.0/commits/?per_page=100"
    cursor = ""
    while True:
        answer = either_api.get(f"{path}&cursor={cursor}" if cursor else path)
        read += [commit["id"] for commit in answer.json]
        following = answer.headers["Link"].split(", <")[1]
        if 'results="true"' not in following:
            break
        cursor = following.split('cursor="')[1].rstrip('"')
    assert read == [commit["id"] for commit in sent]
    with either_database.begin() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(commit_files)).scalar_one() == 10_000
