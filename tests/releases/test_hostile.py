"""What a hostile or broken client may send: never a 5xx, never an undocumented status, nothing half done."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks as openapi_checks
from sqlalchemy.engine import Engine

from releases import bootstrap
from releases.app import ReleasesApp, create_app
from releases.http.openapi import describe
from releases.validation.fields import Fault
from releases.validation.requests import read_change, read_deploy, read_new_release, read_project_release
from shared.config.settings import from_env
from tests.builders import examples
from tests.databases import EACH_DATABASE
from tests.releases.caller import Caller
from tests.releases.conftest import ENVIRON, SMALL, TOKEN, own_copy, own_database

pytest_plugins = ["schemathesis.pytest.plugin"]  # collects what `schema.parametrize` marks

_ODD_TEXT = st.text(st.characters(), max_size=20) | st.sampled_from(["\0", "\ud800", "..", "a..b", "é" * 30, "1e999"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | _ODD_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ODD_TEXT, inner, max_size=3),
    max_leaves=8,
)
_COMMIT_KEYS = ("id", "repository", "message", "author_name", "author_email", "timestamp", "patch_set")
_KEYS = ("version", "projects", "ref", "url", "dateReleased", "commits", "refs", "headCommits", "status", "owner")
_WRITES = [
    ("POST", "releases/"),
    ("PUT", "releases/there/"),
    ("POST", "releases/there/deploys/"),
    ("POST", "/api/0/projects/acme/shop/releases/"),
]
_COMMITS = st.lists(st.dictionaries(st.sampled_from(_COMMIT_KEYS), _JSON | st.lists(_JSON), max_size=5), max_size=3)
_BODIES = st.dictionaries(st.sampled_from(_KEYS), _JSON | _COMMITS, max_size=6)


@pytest.mark.parametrize("read", [read_new_release, read_project_release, read_deploy, lambda data: read_change(data, "1")])
@examples(500)
@given(data=_JSON | _BODIES)
def test_any_json_is_read_or_refused(read: Any, data: object) -> None:
    with suppress(Fault):
        read(data)


@pytest.fixture(scope="module", params=EACH_DATABASE)
def lasting(request: pytest.FixtureRequest, template: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An app whose database, of each kind in turn, lives through a whole module of generated requests."""
    if request.param == "sqlite":
        engine: Engine = own_copy(template, tmp_path_factory.mktemp("lasting"))
    else:
        engine = own_database(str(request.getfixturevalue("postgres_url")), "releases_lasting")
    bootstrap.seed(engine, from_env(ENVIRON))
    app = create_app(engine, kept=(tmp_path_factory.mktemp("artifacts"), SMALL))
    yield app
    app.stop()


@examples(150, HealthCheck.function_scoped_fixture)
@given(body=_BODIES, target=st.sampled_from(_WRITES))
def test_any_body_is_answered_below_500(lasting: ReleasesApp, body: dict[str, Any], target: tuple[str, str]) -> None:
    method, path = target
    api = Caller(lasting, TOKEN)
    api.made("there")
    valid = {"version": "generated", "projects": ["shop"], "environment": "e"}
    for sent in (body, {**valid, **body}):
        answer = api.call(method, path, sent)
        assert answer.status_code in (200, 201, 208, 400), answer.text


RAW = [
    b'{"version": "a", "projects": ["shop"], "commits": [{"id": "\\u0000"}]}',
    b'{"version": "\\ud800", "projects": ["shop"]}',
    b'{"version": "a", "projects": ["\\ud800", "a\\u0000"]}',
    b'{"version": "a", "projects": [' + b"9" * 4_000 + b"]}",
    b'{"version": "a", "projects": ["shop"], "owner": "\\ud800"}',
    b'{"version": 1e400, "projects": [1e400]}',
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b"\xef\xbb\xbf{}",
    b"\x00",
]


MANY: list[dict[str, Any]] = [
    {"projects": [f"p{n}" for n in range(40_000)]},
    {"projects": list(range(10, 40_000))},
    {"refs": [{"repository": f"r{n}", "commit": "a"} for n in range(40_000)]},
]


@pytest.mark.parametrize("fields", MANY, ids=["slugs", "ids", "refs"])
def test_more_names_than_a_database_takes_at_once_are_400(either_api: Caller, fields: dict[str, Any]) -> None:
    assert either_api.release(**fields).status_code == 400


def test_more_repositories_than_a_database_takes_at_once(either_api: Caller) -> None:
    many = [{"id": f"c{n}", "repository": f"r{n}", "author_name": f"a{n}"} for n in range(2_500)]
    either_api.made(commits=many)
    refs = [{"repository": f"r{n}", "commit": f"d{n}"} for n in range(1_200)]
    assert either_api.release("2.0", refs=refs).status_code == 201
    either_api.settle()


@pytest.mark.parametrize("raw", RAW, ids=range(len(RAW)))
def test_odd_bytes_are_400(either_api: Caller, raw: bytes) -> None:
    answer = either_api.call("POST", "releases/", raw=raw)
    assert answer.status_code == 400, answer.text
    assert either_api.get("releases/?status=").json == []


@pytest.mark.parametrize(
    "path",
    [
        *("releases/?query=%00", "releases/?query=%ED%A0%80", "releases/?environment=%00", "releases/?projectSlug=%00"),
        "releases/?project=" + "9" * 40,
        *(
            "releases/x/deploys/?project=%C2%B2",
            "releases/x/deploys/?project=-%C2%B2",
            "releases/?query=release.build%3A%3E%C2%B2",
        ),
        *("releases/?start=0001-01-01T00:00:00%2B14:00", "releases/?statsPeriod=9999999w", "releases/%F0%28/"),
        "/api/0/organizations/" + "9" * 40 + "/releases/",
        *("/api/0/organizations/%00/releases/", "/api/0/projects/acme/%00/releases/", "repos/?cursor=0:999999999999999999:0"),
        "/api/0/projects/acme/" + "9" * 40 + "/releases/",
        *(
            "releases/?sort=semver&cursor=0:999999999999999999:0",
            "releases/x/commits/?cursor=0:-5:1",
            "releases/x/commits/?cursor=0:9999999999:0",
        ),
    ],
)
def test_odd_addresses_are_answered_below_500(either_api: Caller, path: str) -> None:
    either_api.made("x")
    assert either_api.get(path).status_code in (200, 400, 403, 404)


@pytest.mark.parametrize("version", ["👩‍👩‍👧", "größe", "a>b", 'a"b'])
def test_a_version_of_any_characters_has_lists_with_links(either_api: Caller, version: str) -> None:
    """A header holds ASCII: found by `make fuzz`, which got a 500 for the first of these."""
    either_api.made(version)
    link = either_api.get(f"releases/{quote(version, safe='')}/commits/").headers["Link"]
    assert link.isascii()
    assert link.count(">") == link.count("<") == 2


schema = schemathesis.openapi.from_dict(describe())
schema.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])


@schema.parametrize()
@examples(25, *HealthCheck)
def test_schemathesis_finds_no_5xx_and_no_undocumented_status(lasting: ReleasesApp, case: Any) -> None:
    for name, value in (("org", "acme"), ("project", "shop"), ("version", "there")):
        if name in case.path_parameters and case.path_parameters[name] not in ("", ".", ".."):
            case.path_parameters[name] = value
    Caller(lasting, TOKEN).made("there")
    response = case.call(app=lasting, headers={"Authorization": f"Bearer {TOKEN}"}, base_url="http://localhost")
    case.validate_response(
        response,
        checks=[
            schemathesis.checks.not_a_server_error,
            openapi_checks.status_code_conformance,
            openapi_checks.content_type_conformance,
            openapi_checks.response_schema_conformance,
        ],
    )


def test_the_description_names_every_route_and_method(app: ReleasesApp) -> None:
    described = describe()["paths"]
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/0/") or rule.rule.endswith(".json"):
            continue
        path = rule.rule.replace("<", "{").replace(">", "}")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert method.lower() in described[path], (method, path)


def test_the_description_is_served(api: Caller) -> None:
    assert api.get("/api/0/openapi.json").json == describe()
