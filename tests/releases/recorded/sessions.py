"""The requests whose answers are recorded: sessions of one release each, whose version `{V}` stands for. Pure.

Only requests that Sentry of today answers as 23.7.1 does, and that docs/releases-endpoint.md names no difference for.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

ORG = "/api/0/organizations/acme/"
LIST = ORG + "releases/"
ONE = LIST + "{V}/"
PROJECT = "/api/0/projects/acme/web/"


class Request(NamedTuple):
    """`who`: a credential's name, None for nobody. `body`: JSON, or bytes sent as they are."""

    method: str
    path: str
    body: Any = None
    who: str | None = "token"
    headers: dict[str, str] = {}  # noqa: RUF012  never changed


def _new(**fields: Any) -> Request:
    return Request("POST", LIST, {"version": "{V}", "projects": ["web"], **fields})


def _get(path: str = ONE, **more: Any) -> Request:
    return Request("GET", path, **more)


def _deploy(**fields: Any) -> Request:
    return Request("POST", ONE + "deploys/", {"environment": "production", **fields})


COMMIT = {
    "id": "c{V}",
    "repository": "acme/web",
    "message": "add it",
    "author_name": "Ann Lee",
    "author_email": "Ann{V}@acme.test",
    "timestamp": "2026-01-02T03:04:05Z",
    "patch_set": [{"path": "b.py", "type": "A"}, {"path": "a.py", "type": "M"}],
}
_FIELDS: dict[str, list[Any]] = {
    "ref": [None, "", " ", "main", 5, True, [], "r" * 201, "a\0b"],
    "url": [
        None,
        "",
        "https://a.example/x?y#z",
        "ftp://a.example",
        "http://localhost:80",
        "http://[::1]:80/",
        "http://a.example.",
        "a.example",
        "http://a",
        "http://a.1",
        "http://a_b.example",
        "http://256.1.1.1",
        "http://-a.example",
        "javascript:a",
        "http://a b.example",
        "http://u:p@a.example",
        "HTTP://A.EXAMPLE",
        "http://xn--tda.example",
        True,
        {},
        "a\x00b",
        "x" * 201,
    ],
    "dateReleased": [
        None,
        "",
        "2026-01-02T03:04:05Z",
        "2026-01-02 03:04",
        "2026-01-02T03:04:05.123456789Z",
        5,
        "now",
        "2026-01-02T03:04:05+03:00",
        "2026-1-2T3:4:5Z",
        "2026-02-30T00:00:00Z",
        "0001-01-01T00:00:00+10:00",
        " 2026-01-02T03:04Z",
    ],
    "commits": [None, {}, "x", [], [None], ["x"], [{}], [{"id": ""}], [{"id": "x" * 65}], [{"id": "a"}, {"message": 1}]],
    "refs": [
        None,
        "x",
        [None],
        [{}],
        [{"repository": "", "commit": "a"}],
        [{"repository": "r", "commit": "..a"}],
        [{"repository": "r", "commit": "a" * 65}],
        [{"repository": "r", "commit": "a.." + "b" * 65}],
    ],
    "headCommits": [None, [{}], [{"repository": "r", "currentId": "a", "previousId": ""}], [{"repository": "r" * 65}]],
    "status": [None, "", "open", "archived", "closed", 1],
    "owner": [None, "nobody"],
}
_COMMITS: list[list[dict[str, Any]]] = [
    [COMMIT],
    *[[{key: value for key, value in COMMIT.items() if key != gone}] for gone in COMMIT if gone not in ("id", "repository")],
    *[[{**COMMIT, "author_email": odd}] for odd in ("", "junk", "e" * 75, "e" * 76)],
    [{**COMMIT, "author_email": None, "author_name": "n" * 100}],
    [{"id": "1{V}", "repository": "acme/web"}, {"id": "2{V}", "repository": "acme/web"}],
    [{"id": "1{V}", "timestamp": "2026-01-01T00:00:00Z"}, {"id": "2{V}", "timestamp": "2026-01-02T00:00:00Z"}],
    [{**COMMIT, "message": "x #skipsentry"}],
    *[
        [{**COMMIT, "patch_set": [{"path": path, "type": kind}]}]
        for path, kind in (("a", "Q"), ("a", "AM"), ("", "A"), ("p" * 511, "A"))
    ],
]
_VERSIONS = ["{V}@1.2.3", "{V}@1.2.3.4-rc1+build7", "{V}@1.2.3+0a1b2c3d4e5f6a7b8c9d", "{V}@99999999999999999999.1.1", "{V} (1)"]
_VERSIONS += [
    " {V}",
    "{V}\v",
    "{V}@6ba09a7c53235ee8a8fa5ee4c1ca8ca886e7fdbb",
    "{V}@1.0a1",
    "{V}@1.2.3.4.5",
    "@{V}@1.0.0",
    "ü{V}",
]
_QUERIES = ["", "&per_page=1", "&per_page=x", "&per_page=100&per_page=1", "&cursor=x", "&sort=semver", "&sort=build", "&sort=x"]
_QUERIES += [
    "&sort=users",
    "&flatten=1",
    "&status=archived",
    "&status=",
    "&status=x",
    "&project=-1",
    "&project=999999",
    "&projectSlug=web",
]
_QUERIES += ["&environment=nosuch", "&environment=", "&statsPeriod=14d", "&statsPeriod=x", "&statsPeriod=0d", "&start=x&end=y"]
_QUERIES += ["&start=2020-01-01T00:00:00", "&start=2021-01-01T00:00:00&end=2020-01-01T00:00:00", "&summaryStatsPeriod=x"]
_QUERIES += ["&healthStatsPeriod=x", "&healthStat=x", "&adoptionStages=1"]
_SEARCHES = [
    "{V}",
    "release:{V}",
    "release:{V}*",
    "release:nosuch{V}",
    "(",
    "a OR b",
    "release.version:>=1.x",
    "foo:bar",
    '"{V}',
]
_SEARCHES += ["release.version:", "release.stage:adopted", "has:release"]
_ENVIRONMENTS = ["a/b", "a\\b", "a\tb", ".", "..", "x" * 64, "x" * 65, "", None, True]
_ODD_PROJECTS: list[Any] = [["web"], ["nosuch"], ["web", "nosuch"], ["api"], ["foreign"], [], None, "web", [{}]]
_DEPLOYS: list[dict[str, Any]] = [
    {"name": "", "url": ""},
    {"name": "n" * 65},
    {"url": "x"},
    {"dateStarted": "x"},
    *[{"projects": odd} for odd in _ODD_PROJECTS],
]
_PATHS = [LIST, ONE, ONE + "commits/", ONE + "commitfiles/", ONE + "deploys/", ONE + "meta/", PROJECT + "releases/"]
_PATHS += [PROJECT + "releases/{V}/", "/api/0/nosuch/", ORG + "nosuch/"]
SURROUNDING = "surroundings"
_SURROUNDINGS = [
    "/api/0/organizations/",
    ORG,
    ORG + "projects/",
    "/api/0/projects/",
    PROJECT,
    ORG + "environments/",
    ORG + "repos/",
]
_SURROUNDINGS += [PROJECT + "environments/", "/api/0/auth/", "/api/0/"]
_AUTHORIZATIONS = [
    "Bearer",
    "Bearer a b",
    "Bearer wrong",
    "Basic",
    "Basic a b",
    "Basic x",
    "Basic Og==",
    "Basic !!!",
    "Token x",
    "x",
]
_BODIES = [b"", b"  ", b"null", b"1", b"[]", b"{", b'{"x": NaN}']


def sessions() -> dict[str, list[Request]]:
    """By name, which names the case."""
    found: dict[str, list[Request]] = {}
    for field, values in _FIELDS.items():
        for number, value in enumerate(values):
            found[f"{field} {number}"] = [_new(**{field: value})]
            if field in ("ref", "url", "dateReleased", "status") and number < 4:
                found[f"put {field} {number}"] = [_new(), Request("PUT", ONE, {field: value}), _get()]
    for number, commits in enumerate(_COMMITS):
        found[f"commits {number}"] = [_new(commits=commits), _get(ONE + "commits/"), _get(ONE + "commitfiles/")]
    for number, version in enumerate(_VERSIONS):
        found[f"version {number}"] = [_new(version=version)]
    found["list"] = [_new(), *(_get(f"{LIST}?query={{V}}{query}") for query in _QUERIES)]
    found["search"] = [_new(), *(_get(f"{LIST}?query={quote(text, safe='{}')}&per_page=5") for text in _SEARCHES)]
    return found | _around() | _whole()


def _around() -> dict[str, list[Request]]:
    """Deploys, methods and paths, bodies, credentials, and what surrounds releases."""
    found: dict[str, list[Request]] = {}
    for number, name in enumerate(_ENVIRONMENTS):
        found[f"environment {number}"] = [_new(), _deploy(environment=name)]
    for number, fields in enumerate(_DEPLOYS):
        found[f"deploy {number}"] = [_new(), _deploy(**fields)]
    for path in _PATHS:
        for method in ("HEAD", "OPTIONS", "PATCH", "TRACE"):
            found[f"{method} {path}"] = [_new(), Request(method, path)]
        found[f"no last slash {path}"] = [_get(path.rstrip("/")), Request("POST", path.rstrip("/"), {})]
    for number, raw in enumerate(_BODIES):
        found[f"body {number}"] = [Request("POST", LIST, raw)]
    for text in _AUTHORIZATIONS:
        found[f"authorization {text}"] = [_get(f"{LIST}?query=none", who=None, headers={"Authorization": text})]
    for path in _SURROUNDINGS:
        people = ["token", "read", "none", "key_read", None]
        if "environments" not in path:
            people.append("key")  # an original shows a key no environments
        found[f"{SURROUNDING} {path}"] = [*(Request("GET", path, who=who) for who in people), Request("HEAD", path)]
    return found


def _whole() -> dict[str, list[Request]]:
    """Sessions of more than one kind of request."""
    found: dict[str, list[Request]] = {}
    listed: list[Any] = [None, "web", {}, ["web", "api"]]
    found["projects"] = [_new(projects=odd) for odd in listed] + [_get()]
    found["form"] = [
        Request("POST", LIST, b"version={V}&projects=web", headers={"Content-Type": "application/x-www-form-urlencoded"})
    ]
    found["type"] = [Request("POST", LIST, b"{}", headers={"Content-Type": "text/plain"})]
    found["accept"] = [_get(LIST, headers={"Accept": "text/html"}), _get(f"{LIST}?format=xml")]
    origin = {"Origin": "https://evil.example"}
    found["origin"] = [_get(LIST, headers=origin), Request("OPTIONS", LIST, headers=origin)]
    found["life"] = [
        *(_new(), _new(), _new(projects=["api"]), _new(status="archived"), _get(), _deploy(), _get(ONE + "deploys/")),
        *(
            _get(ONE + "previous-with-commits/"),
            Request("PUT", ONE, {"commits": [COMMIT]}),
            _get(ONE + "previous-with-commits/"),
        ),
        *(_get(ONE + "meta/"), _get(ONE + "resolved/"), _get(f"{ONE}?project=999999"), Request("DELETE", ONE, who="read")),
        *(_get(PROJECT + "releases/{V}/"), _get(PROJECT + "releases/{V}/repositories/"), Request("DELETE", ONE), _get()),
    ]
    found["key that reads"] = [
        _new(),
        *(_get(path, who="key_read") for path in (f"{LIST}?query={{V}}", ONE, PROJECT + "releases/{V}/")),
    ]
    return found
