"""Creating a release: the documented example, statuses and their order (1.4), what a repeat changes (section 0)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from releases.tables.releases import activities
from tests.releases.caller import Caller

REF = "6ba09a7c53235ee8a8fa5ee4c1ca8ca886e7fdbb"
DOCUMENTED: dict[str, Any] = {
    "authors": [],
    "commitCount": None,
    "data": {},
    "dateReleased": None,
    "deployCount": None,
    "firstEvent": None,
    "lastCommit": None,
    "lastDeploy": None,
    "lastEvent": None,
    "newGroups": 0,
    "owner": None,
    "ref": REF,
    "shortVersion": "2.0rc2",
    "url": None,
    "version": "2.0rc2",
}
NEWER = {"id", "status", "versionInfo", "userAgent", "currentProjectMeta"}


def test_the_documented_example_answers_201_then_208(either_api: Caller) -> None:
    before = datetime.now(UTC)
    body = {"version": "2.0rc2", "ref": REF, "projects": ["pump-station"]}
    first = either_api.post("releases/", body)
    assert first.status_code == 201
    shown = first.json
    assert {key: shown[key] for key in DOCUMENTED} == DOCUMENTED
    assert [(one["slug"], one["name"]) for one in shown["projects"]] == [("pump-station", "pump-station")]
    assert before <= datetime.fromisoformat(shown["dateCreated"]) <= datetime.now(UTC)
    assert shown["dateCreated"].endswith("Z")
    assert set(shown) == {*DOCUMENTED, "projects", "dateCreated", *NEWER}
    second = either_api.post("releases/", body)
    assert (second.status_code, second.json) == (208, shown)


def test_0_1_a_repeat_keeps_ref_url_owner_and_date(api: Caller) -> None:
    first = api.made(ref="a", url="https://acme.test/1", dateReleased="2020-01-01T00:00:00Z")
    again = api.release(ref="b", url="https://acme.test/2", dateReleased="2021-01-01T00:00:00Z")
    assert (again.status_code, again.json) == (208, first)


def test_0_1_a_repeat_changes_the_status(api: Caller) -> None:
    assert api.made()["status"] == "open"
    assert api.made(status="archived")["status"] == "archived"
    assert api.made()["status"] == "archived"
    assert api.made(status="open")["status"] == "open"


def test_0_2_a_newly_linked_project_is_201_and_none_is_ever_unlinked(either_api: Caller) -> None:
    assert either_api.release().status_code == 201
    answer = either_api.release(projects=["pump-station"])
    assert answer.status_code == 201
    assert [one["slug"] for one in answer.json["projects"]] == ["shop", "pump-station"]
    assert either_api.release(projects=["pump-station", "shop"]).status_code == 208


def test_0_2_replacing_commits_alone_is_208(api: Caller) -> None:
    api.made(commits=[{"id": "a"}])
    assert api.release(commits=[{"id": "b"}]).status_code == 208


def test_0_3_a_missing_date_stays_null(api: Caller) -> None:
    assert api.made()["dateReleased"] is None


def test_0_versions_that_differ_in_case_are_two_releases(api: Caller) -> None:
    assert api.release("a").status_code == api.release("A").status_code == 201


def test_1_1_the_user_agent_is_kept_from_the_creation_and_cut(api: Caller) -> None:
    body = {"version": "1.0", "projects": ["shop"]}
    assert api.post("releases/", body, User_Agent="a" * 300).json["userAgent"] == "a" * 256
    assert api.post("releases/", body, User_Agent="other").json["userAgent"] == "a" * 256


def test_1_1_a_path_without_its_last_slash_is_404_with_a_hint(api: Caller) -> None:
    answer = api.post("releases", {"version": "1.0", "projects": ["shop"]})
    hint = "Route not found, did you forget a trailing slash? try: /api/0/organizations/acme/releases/"
    assert (answer.status_code, answer.json) == (404, {"info": hint})
    answer = api.get("releases")
    assert (answer.status_code, answer.content_type) == (404, "text/plain")
    assert answer.text.splitlines()[2] == "try: /api/0/organizations/acme/releases/"
    assert api.get("releases/").json == []
    moved = api.get("/api/0").headers
    assert (moved["Location"], "Vary" in moved, "Content-Language" in moved) == ("/api/0/", False, False)


def test_1_1_the_organization_by_number(api: Caller) -> None:
    api.made()
    assert api.get("/api/0/organizations/1/releases/1.0/").status_code == 200


def test_1_4_2_authentication_comes_before_the_organization(api: Caller) -> None:
    anonymous = Caller(api.app, None)
    for org in ("acme", "unknown"):
        answer = anonymous.call("POST", f"/api/0/organizations/{org}/releases/", raw=b"{")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'xBasic realm="api"'


def test_1_4_3_the_organization_comes_before_the_body(api: Caller) -> None:
    answer = api.call("POST", "/api/0/organizations/unknown/releases/", raw=b"{")
    assert (answer.status_code, answer.json) == (404, {"detail": "The requested resource does not exist"})


@pytest.mark.parametrize(
    "raw",
    [b"{", b"nonsense", b'{"a": NaN}', b'{"a": Infinity}', b"\xff\xfe", b"[" * 100_000, b'{"version": %s}' % (b"9" * 5_000)],
    ids=["cut", "words", "nan", "infinity", "not utf-8", "deep", "huge number"],
)
def test_1_4_4_a_body_that_is_not_json(api: Caller, raw: bytes) -> None:
    answer = api.call("POST", "releases/", raw=raw)
    assert answer.status_code == 400
    assert answer.json["detail"].startswith("JSON parse error - ")


def test_1_4_4_another_content_type(api: Caller) -> None:
    answer = api.call("POST", "releases/", raw=b"version=1", Content_Type="text/csv")
    assert answer.status_code == 415
    assert answer.json == {"detail": 'Unsupported media type "text/csv" in request.'}


FORM = "version=1.0&projects=shop&projects=pump-station&ref=a&ref=main&dateReleased=&commits[0]id=a1&commits[0]message=one"
PARTS = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in parse_qsl(FORM, True)]
FORMS = [
    (FORM.encode(), "application/x-www-form-urlencoded"),
    (("".join(PARTS) + "--x--\r\n").encode(), "multipart/form-data; boundary=x"),
]


@pytest.mark.parametrize(("raw", "kind"), FORMS, ids=["urlencoded", "multipart"])
def test_1_4_4_a_form_is_read_as_the_json_it_stands_for(api: Caller, raw: bytes, kind: str) -> None:
    answer = api.call("POST", "releases/", raw=raw, Content_Type=kind)
    assert answer.status_code == 201, answer.text
    assert (answer.json["ref"], answer.json["commitCount"], answer.json["dateReleased"]) == ("main", 1, None)
    assert [one["slug"] for one in answer.json["projects"]] == ["shop", "pump-station"]
    assert api.commits()[0]["message"] == "one"


def test_1_4_4_a_form_without_fields_lacks_them(api: Caller) -> None:
    answer = api.call("POST", "releases/", raw=b"{}", Content_Type="application/x-www-form-urlencoded")
    assert (answer.status_code, set(answer.json)) == (400, {"version", "projects"})


def test_1_4_4_an_empty_body_is_an_empty_object(api: Caller) -> None:
    assert set(api.call("POST", "releases/", raw=b"").json) == {"version", "projects"}


def test_1_4_6_a_project_of_another_organization(api: Caller, grant: Any) -> None:
    grant(org="other", projects=["theirs"])
    assert api.release(projects=["theirs"]).json == {"projects": ["Invalid project ids or slugs"]}


def test_1_4_6_a_project_the_caller_may_not_see(grant: Any) -> None:
    limited = grant(projects=["shop"])
    assert limited.release(projects=["pump-station"]).json == {"projects": ["Invalid project ids or slugs"]}


def test_1_4_7_what_the_database_itself_refuses_is_409(api: Caller, database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(sa.text("CREATE TRIGGER no BEFORE INSERT ON rel_releases BEGIN SELECT RAISE(ABORT, 'no'); END"))
    answer = api.release()
    assert answer.status_code == 409
    assert answer.json == {"detail": "Could not create the release it conflicts with existing data"}


def test_1_4_8_a_release_that_a_foreign_project_shares(api: Caller, grant: Any) -> None:
    api.made(projects=["shop", "pump-station"])
    answer = grant(projects=["shop"]).release()
    assert answer.status_code == 400
    text = "You do not have permission to one of the projects: shop, 1 that you may not see"
    assert answer.json == {"projects": [text]}


def test_1_4_11_an_activity_for_each_newly_linked_project(api: Caller, database: Engine) -> None:
    def count() -> int:
        with database.begin() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(activities)).scalar_one()

    api.made()
    assert count() == 0
    api.made("2.0", dateReleased="2020-01-01T00:00:00Z")
    assert count() == 1
    api.made("2.0", projects=["shop", "pump-station"])
    assert count() == 2


def test_1_4_13_a_refused_ref_leaves_no_release(either_api: Caller) -> None:
    """The original has stored the release by then; here one request is one transaction."""
    answer = either_api.release(commits=[{"id": "a", "repository": "acme/shop"}], refs=[{"repository": "x", "commit": "a"}])
    assert (answer.status_code, answer.json) == (400, {"refs": ["Invalid repository names: x"]})
    assert either_api.get("releases/1.0/").status_code == 404
    assert either_api.get("repos/").json == []


@pytest.mark.parametrize(("method", "path"), [("DELETE", "releases/"), ("PUT", "releases/"), ("POST", "releases/1.0/")])
def test_1_4_other_methods_are_405(api: Caller, method: str, path: str) -> None:
    answer = api.call(method, path, {})
    assert (answer.status_code, answer.json) == (405, {"detail": f'Method "{method}" not allowed.'})
    assert "OPTIONS" in answer.headers["Allow"]
    anonymous = Caller(api.app, None)
    assert anonymous.call(method, path, {}).status_code == 401


def test_1_4_an_unknown_address_is_404_and_empty(api: Caller) -> None:
    answer = api.get("/api/0/nothing/")
    assert (answer.status_code, answer.data) == (404, b"")
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_1_1_owner_is_a_member_by_name_or_number(api: Caller, grant: Any) -> None:
    grant(user="ann@acme.test")
    shown = api.made(owner="ann@acme.test")
    assert shown["owner"]["email"] == "ann@acme.test"
    assert api.made("2.0", owner=int(shown["owner"]["id"]))["owner"] == shown["owner"]
    assert api.made("3.0", owner="")["owner"] is None


def test_1_3_owner_of_another_organization(api: Caller, grant: Any) -> None:
    grant(user="eve@other.test", org="other")
    answer = api.release(owner="eve@other.test")
    assert answer.json == {"owner": ["User does not have access to this organization"]}
