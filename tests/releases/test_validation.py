"""Fields, limits and refusal texts of POST (1.1, 1.3). Nothing refused may leave a trace."""

from __future__ import annotations

from typing import Any

import pytest

from tests.releases.caller import Caller

REQUIRED = ["This field is required."]
NULL = ["This field may not be null."]
BLANK = ["This field may not be blank."]
STRING = ["Not a valid string."]
URL = ["Enter a valid URL."]
TIME = ["Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."]


def longest(count: int) -> list[str]:
    return [f"Ensure this field has no more than {count} characters."]


def a_list(kind: str) -> list[str]:
    return [f'Expected a list of items but got type "{kind}".']


def refused(api: Caller, body: Any) -> Any:
    answer = api.post("releases/", body)
    assert answer.status_code == 400, answer.text
    assert api.get("releases/?status=").json == []
    return answer.json


FIELDS: list[tuple[str, Any, Any]] = [
    ("version", None, NULL),
    ("version", "", BLANK),
    ("version", {}, STRING),
    ("version", True, STRING),
    ("version", "v" * 201, longest(200)),
    ("version", "  ", ["Release with name    is not allowed"]),
    ("version", "a/b", ["Release with name a/b is not allowed"]),
    ("version", "a\\b", ["Release with name a\\b is not allowed"]),
    ("version", "Latest", ["Release with name Latest is not allowed"]),
    ("version", "..", ["Release with name .. is not allowed"]),
    ("projects", None, NULL),
    ("projects", "shop", a_list("str")),
    ("projects", {}, a_list("dict")),
    ("projects", 1, a_list("int")),
    ("projects", [["shop"]], ["Invalid project ids or slugs"]),
    ("projects", [1.5], ["Invalid project ids or slugs"]),
    ("projects", [True], ["Invalid project ids or slugs"]),
    ("projects", ["unknown"], ["Invalid project ids or slugs"]),
    ("projects", ["999"], ["Invalid project ids or slugs"]),
    ("projects", [None], ["Invalid project ids or slugs"]),
    ("projects", [10**30], ["Invalid project ids or slugs"]),
    ("projects", [-1], ["Invalid project ids or slugs"]),
    ("ref", "r" * 201, longest(200)),
    ("ref", [], STRING),
    ("url", "not a url", URL),
    ("url", "javascript:alert(1)", URL),
    ("url", "http://", URL),
    ("url", "http://nodots/x", URL),
    ("url", "http://exa mple.com", URL),
    ("url", "http://[::1", URL),
    ("url", True, URL),
    ("url", "http://a_b.example", URL),
    ("url", "http://a.1", URL),
    ("url", "http://a.example:1", URL),
    ("url", "a\0b", ["Null characters are not allowed.", *URL]),
    ("dateReleased", "yesterday", TIME),
    ("dateReleased", "", TIME),
    ("dateReleased", 5, TIME),
    ("dateReleased", "2020-13-01T00:00:00Z", TIME),
    ("dateReleased", " 2020-01-01T00:00:00Z", TIME),
    ("dateReleased", "0001-01-01T00:00:00+14:00", ["Datetime value out of range."]),
    ("commits", None, NULL),
    ("commits", {}, a_list("dict")),
    ("commits", ["x"], {"non_field_errors": ["Invalid data. Expected a dictionary, but got str."]}),
    ("commits", [None], NULL),
    ("refs", None, NULL),
    ("refs", "x", a_list("str")),
    ("refs", [1], {"non_field_errors": ["Invalid data. Expected a dictionary, but got int."]}),
    ("headCommits", None, NULL),
    ("headCommits", [{}], {"repository": REQUIRED, "currentId": REQUIRED}),
    ("headCommits", [{"repository": "r" * 65, "currentId": "a"}], {"repository": longest(64)}),
    ("headCommits", [{"repository": "r", "currentId": "a", "previousId": ""}], {"previousId": BLANK}),
    ("headCommits", [{"repository": "r", "currentId": "a..b..c"}], {"currentId": ["Commit range must be START..END"]}),
    ("status", None, NULL),
    ("status", "closed", ["Invalid status closed"]),
    ("owner", None, NULL),
    ("owner", "nobody", ["Unable to find user"]),
    ("owner", 10**30, ["Unable to find user"]),
    ("owner", {"id": 1}, ["Unable to find user"]),
    ("owner", "a\0b", ["Unable to find user"]),
]


@pytest.mark.parametrize(("field", "value", "texts"), FIELDS, ids=lambda value: repr(value)[:40])
def test_1_3_bad_field(api: Caller, field: str, value: Any, texts: Any) -> None:
    assert refused(api, {"version": "1.0", "projects": ["shop"], field: value}) == {field: texts}


COMMITS: list[tuple[dict[str, Any], Any]] = [
    ({}, {"id": REQUIRED}),
    ({"id": None}, {"id": NULL}),
    ({"id": ""}, {"id": BLANK}),
    ({"id": "a" * 65}, {"id": longest(64)}),
    ({"id": "a", "repository": "r" * 65}, {"repository": longest(64)}),
    ({"id": "a", "author_name": "n" * 129}, {"author_name": longest(128)}),
    ({"id": "a", "author_email": "e" * 76}, {"author_email": longest(75)}),
    ({"id": "a", "timestamp": "x"}, {"timestamp": TIME}),
    ({"id": "a", "message": []}, {"message": STRING}),
    ({"id": "a", "message": "a\0b"}, {"message": ["Null characters are not allowed."]}),
    ({"id": "a", "message": "a\ud800"}, {"message": ["Surrogate characters are not allowed: U+D800."]}),
    ({"id": "a", "patch_set": "x"}, {"patch_set": a_list("str")}),
    ({"id": "a", "patch_set": [{"type": "A"}]}, {"patch_set": {"path": REQUIRED}}),
    ({"id": "a", "patch_set": [{"path": "", "type": "A"}]}, {"patch_set": {"path": BLANK}}),
    ({"id": "a", "patch_set": [{"path": "p" * 511, "type": "A"}]}, {"patch_set": {"path": longest(510)}}),
    (
        {"id": "a", "patch_set": [{"path": "p", "type": "Q"}]},
        {"patch_set": {"type": ["Commit patch_set type Q is not supported."]}},
    ),
    ({"id": "a", "patch_set": [{"path": "p", "type": "AM"}]}, {"patch_set": {"type": longest(1)}}),
    (
        {"id": "a", "patch_set": [{"path": "p", "type": "T"}]},
        {"patch_set": {"type": ["Commit patch_set type T is not supported."]}},
    ),
]


@pytest.mark.parametrize(("commit", "texts"), COMMITS, ids=lambda value: repr(value)[:50])
def test_1_5_bad_commit_key(api: Caller, commit: dict[str, Any], texts: Any) -> None:
    assert refused(api, {"version": "1.0", "projects": ["shop"], "commits": [commit]}) == {"commits": texts}


REFS: list[tuple[dict[str, Any], Any]] = [
    ({}, {"repository": REQUIRED, "commit": REQUIRED}),
    ({"repository": "", "commit": "a"}, {"repository": BLANK}),
    ({"repository": "r" * 201, "commit": "a"}, {"repository": longest(200)}),
    ({"repository": "r", "commit": "..a"}, {"commit": ["Commit cannot begin or end with .."]}),
    ({"repository": "r", "commit": "a.."}, {"commit": ["Commit cannot begin or end with .."]}),
    ({"repository": "r", "commit": "a" * 65}, {"commit": ["Commit too long - max is 64 chars"]}),
    ({"repository": "r", "commit": "a" * 65 + "..b"}, {"commit": ["Start or end commit too long - max is 64 chars each"]}),
    ({"repository": "r", "commit": "a..b..c"}, {"commit": ["Commit range must be START..END"]}),
    ({"repository": "r", "commit": "a...b"}, {"commit": ["Commit range must be START..END"]}),
    ({"repository": "r", "commit": "a", "previousCommit": "p" * 65}, {"previousCommit": longest(64)}),
]


@pytest.mark.parametrize(("ref", "texts"), REFS, ids=lambda value: repr(value)[:50])
def test_1_6_bad_ref(api: Caller, ref: dict[str, Any], texts: Any) -> None:
    assert refused(api, {"version": "1.0", "projects": ["shop"], "refs": [ref]}) == {"refs": texts}


def test_1_3_list_children_stop_at_the_first_and_name_no_index(api: Caller) -> None:
    commits = [{"id": "fine"}, {"message": 1}, {"id": ""}]
    assert refused(api, {"version": "1.0", "projects": ["shop"], "commits": commits}) == {"commits": {"id": REQUIRED}}


def test_1_3_all_top_level_faults_come_together(api: Caller) -> None:
    assert refused(api, {"status": "x", "owner": "nobody"}) == {
        "version": REQUIRED,
        "projects": REQUIRED,
        "status": ["Invalid status x"],
        "owner": ["Unable to find user"],
    }


@pytest.mark.parametrize(
    ("body", "name"), [([], "list"), ("x", "str"), (1, "int"), (True, "bool")], ids=["list", "string", "number", "bool"]
)
def test_1_1_body_must_be_an_object(api: Caller, body: Any, name: str) -> None:
    text = f"Invalid data. Expected a dictionary, but got {name}."
    assert refused(api, body) == {"non_field_errors": [text]}


def test_1_1_a_body_of_null_is_no_data(api: Caller) -> None:
    answer = api.call("POST", "releases/", raw=b"null")
    assert (answer.status_code, answer.json) == (400, {"non_field_errors": ["No data provided"]})


def test_1_1_unknown_and_ignored_keys(api: Caller) -> None:
    shown = api.made(dateStarted="nonsense", data={"x": 1}, userAgent="x", id=99, authors=[1], more=None)
    assert shown["data"] == {}
    assert shown["userAgent"] != "x"


def test_1_1_numbers_become_strings(api: Caller) -> None:
    assert api.made(version=12, ref=34)["version"] == "12"


@pytest.mark.parametrize("field", ["ref", "url"])
@pytest.mark.parametrize("value", [None, ""])
def test_1_1_null_and_blank_are_kept(api: Caller, field: str, value: str | None) -> None:
    assert api.made(**{field: value})[field] == value


TIMES = [
    ("2018-04-23T14:00:57.388525996Z", "2018-04-23T14:00:57.388525Z"),
    ("2018-04-23T14:00:57+03:00", "2018-04-23T11:00:57Z"),
    ("2018-04-23T14:00", "2018-04-23T14:00:00Z"),
    ("2018-04-23 14:00:57", "2018-04-23T14:00:57Z"),
    ("2018-4-3T4:05:06,5 -0130", "2018-04-03T05:35:06.500000Z"),
]


@pytest.mark.parametrize(("sent", "stored"), TIMES)
def test_1_1_times_are_read_as_django_reads_them(api: Caller, sent: str, stored: str) -> None:
    assert api.made(dateReleased=sent)["dateReleased"] == stored


@pytest.mark.parametrize(
    "url", ["https://github.com/acme/shop/compare/a...b", "http://localhost:8000/x", "http://10.0.0.1/", "https://[::1]:80/"]
)
def test_1_1_absolute_urls_are_kept(api: Caller, url: str) -> None:
    assert api.made(url=url)["url"] == url


def test_1_1_projects_by_slug_and_by_number(api: Caller) -> None:
    number = next(one["id"] for one in api.made(projects=["pump-station"])["projects"])
    for version, name in (("2.0", number), ("3.0", str(number))):
        shown = api.made(version, projects=["shop", name])
        assert [one["slug"] for one in shown["projects"]] == ["shop", "pump-station"]


def test_1_1_an_empty_list_of_projects_passes(api: Caller) -> None:
    answer = api.release(projects=[])
    assert (answer.status_code, answer.json["projects"]) == (201, [])


def test_1_1_a_release_without_projects_is_reached_once_it_is_linked(either_api: Caller) -> None:
    either_api.made(projects=[])
    assert either_api.get("releases/").json == []
    for method, path in (("get", ""), ("get", "commits/"), ("get", "deploys/"), ("get", "meta/"), ("delete", "")):
        assert getattr(either_api, method)(f"releases/1.0/{path}").status_code == 404
    assert either_api.put("releases/1.0/", {"ref": "main"}).status_code == 404
    assert either_api.post("releases/1.0/deploys/", {"environment": "production"}).status_code == 404
    either_api.made(projects=["shop"])
    assert either_api.get("releases/1.0/").json["ref"] is None
    assert [one["version"] for one in either_api.get("releases/").json] == ["1.0"]
