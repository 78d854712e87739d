"""The project routes (2.3), commits (2.4), deploys (2.5) and repositories (2.6)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from releases.tenancy import organizations
from tests.releases.caller import Caller
from tests.releases.reading import ids

SHOP = "/api/0/projects/acme/shop/releases/"


def test_2_3_post_links_the_one_project(either_api: Caller) -> None:
    first = either_api.post(SHOP, {"version": "1.0", "projects": ["ignored"], "commits": [{"id": "a"}]})
    assert first.status_code == 201
    assert [one["slug"] for one in first.json["projects"]] == ["shop"]
    assert either_api.post(SHOP, {"version": "1.0"}).status_code == 208
    assert either_api.post(SHOP.replace("shop", "pump-station"), {"version": "1.0"}).status_code == 201
    assert [one["slug"] for one in either_api.shown()["projects"]] == ["shop", "pump-station"]


def test_2_3_post_takes_no_refs(api: Caller) -> None:
    answer = api.post(SHOP, {"version": "1.0", "refs": [{"repository": "unknown", "commit": "a"}], "headCommits": [{}]})
    assert answer.status_code == 201


def test_2_3_post_field_errors(api: Caller) -> None:
    assert api.post(SHOP, {"url": "x"}).json == {"version": ["This field is required."], "url": ["Enter a valid URL."]}


def test_2_3_list_by_release_date_open_only(api: Caller) -> None:
    api.made("a", dateReleased="2999-01-01T00:00:00Z")
    api.made("b")
    api.made("c", status="archived")
    api.made("d", projects=["pump-station"])
    assert [one["version"] for one in api.get(SHOP).json] == ["a", "b"]
    assert [one["version"] for one in api.get(f"{SHOP}?query=B").json] == ["b"]


def test_2_3_list_of_an_unknown_environment_is_empty(api: Caller) -> None:
    api.made()
    assert api.get(f"{SHOP}?environment=unknown").json == []
    api.post("releases/1.0/deploys/", {"environment": "prod"})
    assert len(api.get(f"{SHOP}?environment=prod").json) == 1


def test_2_3_one_release_names_all_its_projects(api: Caller) -> None:
    api.made(projects=["shop", "pump-station"], commits=[{"id": "a"}])
    api.made("other", projects=["pump-station"])
    shown = api.get(f"{SHOP}1.0/").json
    assert [one["slug"] for one in shown["projects"]] == ["shop", "pump-station"]
    assert api.get(f"{SHOP}other/").status_code == 404
    assert [one["id"] for one in api.get(f"{SHOP}1.0/commits/").json] == ["a"]
    assert [one["name"] for one in api.get(f"{SHOP}1.0/repositories/").json] == ["organization-1"]
    assert len(api.get(f"{SHOP}1.0/commits/?repo_name=organization-1").json) == 1
    assert api.get(f"{SHOP}1.0/commits/?repo_name=nosuch").status_code == 404
    assert api.get(f"{SHOP}1.0/resolved/").json == []


def test_2_3_put_and_delete(api: Caller) -> None:
    api.made()
    answer = api.put(f"{SHOP}1.0/", {"ref": "main", "refs": [{"repository": "unknown", "commit": "a"}]})
    assert (answer.status_code, answer.json["ref"]) == (200, "main")
    assert api.put(f"{SHOP}1.0/", {"commits": [{"id": "a"}]}).json["commitCount"] == 1
    assert api.put(f"{SHOP}1.0/", {"refs": []}).json["commitCount"] == 1
    assert api.delete(f"{SHOP}1.0/").status_code == 204
    assert api.get("releases/1.0/").status_code == 404


def test_2_3_an_unknown_project_is_404_and_a_foreign_one_403(api: Caller, grant: Any) -> None:
    assert api.get("/api/0/projects/acme/unknown/releases/").status_code == 404
    assert grant(projects=["pump-station"]).get(SHOP).status_code == 403


def test_2_3_a_renamed_project_is_302(api: Caller, database: Engine) -> None:
    with database.begin() as connection:
        assert organizations.rename_project(connection, 1, "shop", "store")
    answer = api.get(f"{SHOP}?query=a")
    assert (answer.status_code, answer.json["slug"]) == (302, "store")
    assert answer.headers["Location"] == "/api/0/projects/acme/store/releases/?query=a"
    assert api.get(answer.headers["Location"]).status_code == 200
    with database.begin() as connection:
        organizations.ensure_project(connection, 1, "shop", datetime.now(UTC))
    assert api.get(SHOP).status_code == 200


def test_2_4_commits_in_order_with_their_releases(either_api: Caller) -> None:
    sent = [{"id": "b", "message": "two", "author_name": "A", "repository": "acme/shop"}, {"id": "a"}]
    either_api.made("1.0", commits=sent)
    either_api.made("2.0", commits=[{"id": "b", "repository": "acme/shop"}])
    first, second = either_api.commits("1.0")
    assert (first["id"], first["message"], first["author"]) == ("b", "two", {"name": "A", "email": "a@localhost"})
    assert first["repository"]["name"] == "acme/shop"
    assert [one["version"] for one in first["releases"]] == ["1.0", "2.0"]
    assert set(first["releases"][0]) == {"version", "shortVersion", "ref", "url", "dateReleased", "dateCreated"}
    assert (second["author"], second["pullRequest"], second["suspectCommitType"]) == ({}, None, "")
    assert either_api.get("releases/missing/commits/").status_code == 404


def test_2_4_previous_with_commits(either_api: Caller) -> None:
    def previous(version: str) -> Any:
        answer = either_api.get(f"releases/{version}/previous-with-commits/")
        assert answer.status_code == 200
        return answer.json.get("version")

    either_api.made("1.0", commits=[{"id": "a"}])
    either_api.made("1.1", projects=["pump-station"], commits=[{"id": "b"}])
    either_api.made("2.0")
    assert (previous("2.0"), previous("1.0"), previous("1.1")) == ("1.0", "1.0", "1.1")
    either_api.made("0.1")
    either_api.put("releases/0.1/", {"dateReleased": "2020-01-01T00:00:00Z"})
    assert previous("0.1") is None
    assert either_api.get("releases/missing/previous-with-commits/").status_code == 404


def deploy(api: Caller, environment: str = "prod", **fields: Any) -> Any:
    return api.post("releases/1.0/deploys/", {"environment": environment, **fields})


def test_2_5_post_answers_the_deploy(either_api: Caller) -> None:
    either_api.made()
    answer = deploy(either_api, dateFinished="2020-01-01T00:00:00Z")
    assert answer.status_code == 201
    assert answer.json == {
        "id": "1",
        "environment": "prod",
        "dateStarted": None,
        "dateFinished": "2020-01-01T00:00:00Z",
        "name": None,
        "url": None,
    }
    assert (either_api.shown()["deployCount"], either_api.shown()["lastDeploy"]) == (1, answer.json)


def test_2_5_a_missing_end_is_now_and_nulls_pass(api: Caller) -> None:
    api.made()
    answer = deploy(api, name=None, url="", dateStarted=None, dateFinished=None)
    assert answer.status_code == 201
    assert answer.json["dateFinished"] is not None
    assert (answer.json["name"], answer.json["url"]) == (None, "")


def test_2_5_repeats_make_new_deploys_and_the_list_holds_the_last(either_api: Caller) -> None:
    either_api.made()
    deploy(either_api, dateFinished="2020-01-01T00:00:00Z")
    deploy(either_api, dateFinished="2020-01-02T00:00:00Z")
    deploy(either_api, "staging", dateFinished="2020-01-03T00:00:00Z")
    assert either_api.shown()["deployCount"] == 3
    assert [one["id"] for one in either_api.get("releases/1.0/deploys/").json] == ["3", "2"]


def test_2_5_the_last_is_per_project(api: Caller) -> None:
    number = {one["slug"]: one["id"] for one in api.made(projects=["shop", "pump-station"])["projects"]}
    deploy(api, projects=["shop"])
    deploy(api, projects=[number["pump-station"]])
    assert [one["id"] for one in api.get("releases/1.0/deploys/").json] == ["2", "1"]
    assert [one["id"] for one in api.get(f"releases/1.0/deploys/?project={number['shop']}").json] == ["1"]
    assert len(api.get("releases/1.0/deploys/?project=-1").json) == 2
    assert api.get("releases/1.0/deploys/?project=x").status_code == 403
    first = api.get("releases/1.0/deploys/?per_page=1")
    assert [one["id"] for one in first.json] == ["2"]
    assert 'rel="next"; results="true"' in first.headers["Link"]


def test_2_5_a_project_not_on_the_release(api: Caller) -> None:
    api.made()
    answer = deploy(api, projects=["pump-station"])
    message = "Invalid projects (pump-station) for release 1.0"
    assert answer.status_code == 400
    assert answer.json == {"detail": {"code": "parameter-validation-error", "message": message, "extra": {"context": ""}}}
    assert api.get("releases/1.0/deploys/").json == []


ENVIRONMENT = {"environment": ["Invalid value for environment"]}
DEPLOYS: list[tuple[dict[str, Any], Any]] = [
    ({}, {"environment": ["This field is required."]}),
    ({"environment": "a/b"}, ENVIRONMENT),
    ({"environment": "a\nb"}, ENVIRONMENT),
    ({"environment": "e" * 65}, {"environment": ["Ensure this field has no more than 64 characters."]}),
    ({"environment": "e", "name": "n" * 65}, {"name": ["Ensure this field has no more than 64 characters."]}),
    ({"environment": "e", "url": "x"}, {"url": ["Enter a valid URL."]}),
    ({"environment": "e", "projects": []}, {"projects": ["This list may not be empty."]}),
    ({"environment": "e", "projects": None}, {"projects": ["This field may not be null."]}),
    ({"environment": "e", "projects": ["shop", "nosuch"]}, {"projects": ["Invalid project"]}),
    ({"environment": "e", "projects": [{}]}, {"projects": ["Invalid project"]}),
    ({"projects": [999]}, {"environment": ["This field is required."], "projects": ["Invalid project"]}),
]


@pytest.mark.parametrize(("body", "texts"), DEPLOYS, ids=lambda value: repr(value)[:40])
def test_2_5_bad_field(api: Caller, body: dict[str, Any], texts: Any) -> None:
    api.made()
    answer = api.post("releases/1.0/deploys/", body)
    assert (answer.status_code, answer.json) == (400, texts)


@pytest.mark.parametrize("name", ["a\\b", "a\tb", ".", "..", "Production"])
def test_2_5_environments_of_many_characters(api: Caller, name: str) -> None:
    api.made()
    assert deploy(api, name).json["environment"] == name


def test_2_5_a_missing_release_is_404(api: Caller) -> None:
    assert deploy(api).status_code == api.get("releases/1.0/deploys/").status_code == 404


def test_2_6_repositories_by_name_and_paged(either_api: Caller) -> None:
    either_api.made(commits=[{"id": "a", "repository": name} for name in ("c", "a", "b")])
    answer = either_api.get("repos/?per_page=2")
    assert [one["name"] for one in answer.json] == ["a", "b"]
    assert 'rel="next"; results="true"; cursor="2:1:0"' in answer.headers["Link"]
    assert [one["name"] for one in either_api.get("repos/?per_page=2&cursor=2:1:0").json] == ["c"]
    one = answer.json[0]
    assert set(one) == {"id", "name", "url", "provider", "status", "dateCreated", "integrationId", "externalSlug"}
    assert (one["id"], one["status"]) == (str(one["id"]), "active")


def test_2_6_repositories_by_part_of_their_name_and_by_status(either_api: Caller) -> None:
    either_api.made(commits=[{"id": "a", "repository": name} for name in ("acme/shop", "acme/pump")])
    assert [one["name"] for one in either_api.get("repos/?query=SHO").json] == ["acme/shop"]
    assert len(either_api.get("repos/?status=active").json) == 2
    assert either_api.get("repos/?status=deleted").json == []


def test_2_6_a_repository_made_by_hand_can_be_named_by_refs(api: Caller, database: Engine) -> None:
    with database.begin() as connection:
        organizations.ensure_repository(connection, 1, "acme/shop", "https://github.com/acme/shop", "github", datetime.now(UTC))
    assert api.get("repos/").json[0]["provider"] == {"id": "github", "name": "Github"}
    assert api.release(refs=[{"repository": "acme/shop", "commit": "a"}]).status_code == 201
    api.made(commits=[{"id": "b", "repository": "acme/shop"}])
    assert ids(api) == ["b"]
