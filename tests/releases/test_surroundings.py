"""What clients ask on their way to a release: organizations, projects, environments, who is calling."""

from __future__ import annotations

from typing import Any

import pytest

from tests.releases.caller import Caller

ORG = "/api/0/organizations/acme/"
SHOP = "/api/0/projects/acme/shop/"


def test_organizations(api: Caller) -> None:
    (listed,) = api.get("/api/0/organizations/").json
    shown = api.get(ORG).json
    assert {key: shown[key] for key in listed} == listed
    assert (listed["id"], listed["slug"], listed["links"]) == (
        "1",
        "acme",
        {"organizationUrl": "http://localhost", "regionUrl": "http://localhost"},
    )
    assert [one["slug"] for one in shown["projects"]] == ["pump-station", "shop"]
    assert api.get("/api/0/organizations/?query=nosuch").json == []
    assert 'rel="next"; results="false"' in api.get("/api/0/organizations/").headers["Link"]


def test_projects_of_an_organization(either_api: Caller) -> None:
    either_api.made("1.0")
    either_api.made("2.0")
    either_api.post("releases/1.0/deploys/", {"environment": "production", "dateFinished": "2026-01-02T00:00:00Z"})
    pump, shop = either_api.get("projects/").json
    assert (pump["slug"], pump["latestRelease"], pump["latestDeploys"], pump["environments"]) == (
        "pump-station",
        None,
        None,
        [],
    )
    assert (shop["slug"], shop["id"], shop["latestRelease"]) == ("shop", str(shop["id"]), {"version": "2.0"})
    assert shop["latestDeploys"] == {"production": {"version": "1.0", "dateFinished": "2026-01-02T00:00:00Z"}}
    assert either_api.get("projects/?all_projects=1").json == [pump, shop]


@pytest.mark.parametrize(
    ("query", "found"),
    [("sho", ["shop"]), ("slug:shop", ["shop"]), ("id:1", ["shop"]), ("color:red", []), ("nosuch", []), ("%", [])],
)
def test_projects_are_searched(either_api: Caller, query: str, found: list[str]) -> None:
    assert [one["slug"] for one in either_api.get(f"projects/?query={query}").json] == found


def test_projects_are_paged(api: Caller) -> None:
    answer = api.get("projects/?per_page=1")
    assert [one["slug"] for one in answer.json] == ["pump-station"]
    assert 'rel="next"; results="true"' in answer.headers["Link"]


def test_every_project_and_one(api: Caller) -> None:
    listed = api.get("/api/0/projects/").json
    assert [one["slug"] for one in listed] == ["pump-station", "shop"]
    assert listed[1]["organization"]["slug"] == "acme"
    shown = api.get(SHOP).json
    assert {key: shown[key] for key in listed[1]} == listed[1]
    assert api.get("/api/0/projects/?status=disabled").json == []
    assert api.get("/api/0/projects/acme/nosuch/").status_code == 404


def test_environments(either_api: Caller) -> None:
    either_api.made()
    for name in ("staging", "production"):
        either_api.post("releases/1.0/deploys/", {"environment": name})
    assert [one["name"] for one in either_api.get("environments/").json] == ["production", "staging"]
    shown = either_api.get(f"{SHOP}environments/").json
    assert [(one["name"], one["isHidden"]) for one in shown] == [("production", False), ("staging", False)]
    assert either_api.get(f"{SHOP}environments/?visibility=hidden").json == []
    assert either_api.get(f"{SHOP}environments/?visibility=x").status_code == 400
    assert either_api.get(f"{SHOP}environments/staging/").json == shown[1]
    assert either_api.get(f"{SHOP}environments/nosuch/").status_code == 404


def test_auth_tells_whose_token_it_is(api: Caller, grant: Any) -> None:
    shown = grant(user="ann@acme.test", scopes=("project:read",)).get("/api/0/auth/").json
    assert (shown["username"], shown["email"], shown["permissions"]) == ("ann@acme.test", "ann@acme.test", [])
    assert api.get("/api/0/auth/").json["username"] == "token-1"
    key = grant("key").get("/api/0/auth/")
    assert (key.status_code, key.json) == (401, {"detail": "Invalid username/password."})
    anonymous = Caller(api.app, None)
    assert (anonymous.get("/api/0/auth/").status_code, anonymous.get("/api/0/users/me/regions/").status_code) == (400, 401)


def test_this_server_is_the_one_region(api: Caller) -> None:
    assert api.get("/api/0/users/me/regions/").json == {"regions": [{"name": "--monolith--", "url": "http://localhost"}]}


SCOPES = [
    ("/api/0/organizations/", "org:read"),
    (ORG, "org:read"),
    (f"{ORG}projects/", "org:read"),
    (f"{ORG}environments/", "org:read"),
    ("/api/0/projects/", "project:read"),
    (SHOP, "project:read"),
    (f"{SHOP}environments/", "project:read"),
]


@pytest.mark.parametrize(("path", "scope"), SCOPES)
def test_scopes_of_the_surroundings(grant: Any, path: str, scope: str) -> None:
    assert grant(scopes=(scope,)).get(path).status_code == 200
    assert grant(scopes=("project:releases",)).get(path).status_code == 403
    assert grant(scopes=(scope,)).call("HEAD", path).status_code == 403


def test_a_release_s_changed_files_header_and_resolved_issues(either_api: Caller) -> None:
    files = [{"path": "b.py", "type": "A"}, {"path": "a.py", "type": "M"}]
    either_api.made(commits=[{"id": "c1", "message": "m", "author_name": "Ann", "repository": "acme/shop", "patch_set": files}])
    found = either_api.get("releases/1.0/commitfiles/?per_page=1")
    assert 'rel="next"; results="true"' in found.headers["Link"]
    (first,) = found.json
    assert first.pop("id").isdigit()
    assert first == {
        "orgId": 1,
        "author": {"name": "Ann", "email": "ann@localhost"},
        "commitMessage": "m",
        "filename": "a.py",
        "type": "M",
        "repoName": "acme/shop",
    }
    assert len(either_api.get("releases/1.0/commitfiles/?repo_name=acme/shop").json) == 2
    assert either_api.get("releases/1.0/commitfiles/?repo_name=x").status_code == 404
    meta = either_api.get("releases/1.0/meta/").json
    assert (meta["commitCount"], meta["commitFilesChanged"], meta["releaseFileCount"]) == (1, 2, 0)
    assert either_api.get("releases/1.0/resolved/").json == []
    for part in ("commitfiles", "meta", "resolved"):
        assert either_api.get(f"releases/missing/{part}/").status_code == 404
