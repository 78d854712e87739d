"""GET, PUT and DELETE of one release (2.2), and what its object holds (1.7)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from releases.tables.releases import activities, release_heads
from tests.releases.caller import Caller
from tests.releases.reading import ids


def test_2_2_get_answers_what_post_did(either_api: Caller) -> None:
    made = either_api.made(commits=[{"id": "a", "author_name": "A"}])
    assert either_api.shown() == made


@pytest.mark.parametrize("version", ["a b", " edge ", "1+2", "pkg@1.0 (3)", "ünïcode", "100%", "a?b#c", "a;b", "..."])
def test_2_2_versions_in_the_path_are_percent_decoded(api: Caller, version: str) -> None:
    api.made(version)
    assert api.shown(quote(version, safe=""))["version"] == version


@pytest.mark.parametrize("version", ["missing", "%00", "%FF", "v" * 300, "%ED%A0%80"])
def test_2_2_a_missing_release_is_404(api: Caller, version: str) -> None:
    asked: list[tuple[str, Any]] = [("GET", None), ("PUT", {}), ("DELETE", None)]
    for method, body in asked:
        answer = api.call(method, f"releases/{version}/", body)
        assert (answer.status_code, answer.json) == (404, {"detail": "The requested resource does not exist"})


def test_2_2_get_with_a_project(api: Caller) -> None:
    for version in ("1.0", "2.0", "3.0"):
        project = api.made(version)["projects"][0]["id"]
    other = api.made("x", projects=["pump-station"])["projects"][0]["id"]
    assert api.get(f"releases/2.0/?project={project}").json["currentProjectMeta"] == {
        "nextReleaseVersion": "3.0",
        "prevReleaseVersion": "1.0",
        "firstReleaseVersion": "1.0",
        "lastReleaseVersion": "3.0",
        "sessionsLowerBound": None,
        "sessionsUpperBound": None,
    }
    assert api.get("releases/2.0/").json["currentProjectMeta"] == {}
    assert api.get(f"releases/2.0/?project={other}").status_code == 404
    for unknown in (999, "x", "1" * 5_000):
        assert api.get(f"releases/2.0/?project={unknown}").status_code == 403
    assert api.get(f"releases/2.0/?project={project}&sort=x").json == {"detail": "invalid sort"}
    assert api.get("releases/2.0/?summaryStatsPeriod=x").status_code == 400
    assert api.get("releases/2.0/?adoptionStages=1").json["adoptionStages"] is None


def test_2_2_put_changes_what_it_names(either_api: Caller) -> None:
    either_api.made()
    change = {"ref": "main", "url": "https://acme.test/", "dateReleased": "2020-01-01T00:00:00Z", "status": "archived"}
    answer = either_api.put("releases/1.0/", change)
    assert answer.status_code == 200
    assert {key: answer.json[key] for key in change} == change
    assert either_api.shown() == answer.json


def test_2_2_put_ignores_version_projects_and_owner(api: Caller) -> None:
    before = api.made()
    answer = api.put("releases/1.0/", {"version": "a/b", "projects": "nonsense", "owner": "nobody", "dateStarted": "x"})
    assert (answer.status_code, answer.json) == (200, before)


def test_2_2_put_applies_only_what_is_not_empty(api: Caller) -> None:
    before = api.made(ref="main", url="https://acme.test/", dateReleased="2020-01-01T00:00:00Z", status="archived")
    answer = api.put("releases/1.0/", {"ref": None, "url": "", "dateReleased": None, "status": "open", "commits": []})
    assert answer.json == before


def test_2_2_put_does_not_unarchive_but_post_does(api: Caller) -> None:
    api.made(status="archived")
    assert api.put("releases/1.0/", {"status": "open"}).json["status"] == "archived"
    assert api.made(projects=[], status="open")["status"] == "open"


def test_2_2_put_replaces_commits(api: Caller) -> None:
    api.made(commits=[{"id": "a"}])
    assert api.put("releases/1.0/", {"commits": [{"id": "b"}, {"id": "c"}]}).json["commitCount"] == 2
    assert ids(api) == ["b", "c"]


def test_2_2_put_empty_refs_clears_commits_and_several_heads(either_api: Caller, either_database: Engine) -> None:
    either_api.made(commits=[{"id": "a", "repository": "x"}, {"id": "b", "repository": "y"}])
    answer = either_api.put("releases/1.0/", {"refs": []})
    assert (answer.status_code, answer.json["commitCount"]) == (200, 0)
    assert (answer.json["lastCommit"], answer.json["authors"], ids(either_api)) == (None, [], [])
    with either_database.begin() as connection:
        assert connection.execute(sa.select(release_heads)).all() == []


def test_2_2_put_empty_refs_without_any_head(api: Caller) -> None:
    api.made()
    assert api.put("releases/1.0/", {"refs": []}).status_code == 200


def test_2_2_put_first_date_records_one_activity_per_project(api: Caller, database: Engine) -> None:
    api.made(projects=["shop", "pump-station"])
    for _ in range(2):
        api.put("releases/1.0/", {"dateReleased": "2020-01-01T00:00:00Z"})
    with database.begin() as connection:
        assert len(connection.execute(sa.select(activities)).all()) == 2


def test_2_2_a_refused_put_changes_nothing(either_api: Caller) -> None:
    before = either_api.made(commits=[{"id": "a"}])
    change = {"ref": "new", "commits": [{"id": "b"}], "refs": [{"repository": "unknown", "commit": "a"}]}
    answer = either_api.put("releases/1.0/", change)
    assert (answer.status_code, answer.json) == (400, {"refs": ["Invalid repository names: unknown"]})
    assert either_api.shown() == before


def test_2_2_put_field_errors(api: Caller) -> None:
    api.made()
    answer = api.put("releases/1.0/", {"url": "x", "commits": [{"id": ""}]})
    assert answer.json == {"url": ["Enter a valid URL."], "commits": {"id": ["This field may not be blank."]}}


def test_2_2_delete(either_api: Caller) -> None:
    either_api.made(commits=[{"id": "a"}], dateReleased="2020-01-01T00:00:00Z")
    either_api.post("releases/1.0/deploys/", {"environment": "e"})
    answer = either_api.delete("releases/1.0/")
    assert (answer.status_code, answer.data) == (204, b"")
    assert either_api.get("releases/1.0/").status_code == 404
    assert either_api.release().status_code == 201


def test_1_7_types_that_clients_depend_on(api: Caller, grant: Any) -> None:
    grant(user="ann@acme.test")
    shown = api.made("app@1.0", commits=[{"id": "a", "author_email": "ann@acme.test"}], owner="ann@acme.test")
    assert isinstance(shown["newGroups"], int)
    assert isinstance(shown["projects"][0]["id"], int)
    assert set(shown["projects"][0]) == {"id", "slug", "name", "newGroups", "platform", "platforms", "hasHealthData"}
    assert shown["shortVersion"] == shown["version"]
    assert shown["lastCommit"]["id"] == "a"
    assert set(shown["owner"]) >= {"id", "name", "username", "email", "avatarUrl", "isActive", "dateJoined", "emails", "avatar"}
    assert [one["version"] for one in shown["lastCommit"]["releases"]] == ["app@1.0"]
    assert shown["authors"] == [shown["owner"]]
    assert shown["versionInfo"]["package"] == "app"
    assert (shown["firstEvent"], shown["lastEvent"], shown["deployCount"]) == (None, None, None)
