"""The server's own OpenAPI description, written out as data and served at /api/0/openapi.json. Pure."""

from __future__ import annotations

from typing import Any

from releases.tenancy.credentials import SCOPES

Json = dict[str, Any]

_TIME: Json = {"type": "string", "format": "date-time"}
_WHEN: Json = {"anyOf": [_TIME, {"type": "null"}]}
_PROJECTS: Json = {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}


def _text(longest: int | None = None, *, null: bool = True, blank: bool = True) -> Json:
    found: Json = {"type": ["string", "null"] if null else "string"}
    if longest is not None:
        found["maxLength"] = longest
    if not blank:
        found["minLength"] = 1
    return found


def _object(properties: Json, *required: str) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


_FILE = _object({"path": _text(510, null=False, blank=False), "type": {"enum": ["A", "M", "D"]}}, "path", "type")
_COMMIT = _object(
    {
        "id": _text(64, null=False, blank=False),
        "repository": _text(64),
        "message": _text(),
        "author_name": _text(128),
        "author_email": _text(75),
        "timestamp": _WHEN,
        "patch_set": {"anyOf": [{"type": "array", "items": _FILE}, {"type": "null"}]},
    },
    "id",
)
_REF = _object(
    {
        "repository": _text(200, null=False, blank=False),
        "commit": _text(130, null=False, blank=False) | {"description": "SHA or START..END, 64 characters each"},
        "previousCommit": _text(64),
    },
    "repository",
    "commit",
)
_HEAD = _object(
    {
        "repository": _text(64, null=False, blank=False),
        "currentId": _text(64, null=False, blank=False),
        "previousId": _text(64, blank=False),
    },
    "repository",
    "currentId",
)
_CHANGE: Json = {
    "ref": _text(200),
    "url": _text(2048) | {"format": "uri"},
    "dateReleased": _WHEN,
    "commits": {"type": "array", "items": {"$ref": "#/components/schemas/Commit"}},
    "refs": {"type": "array", "items": {"$ref": "#/components/schemas/Ref"}},
    "headCommits": {"type": "array", "items": _HEAD},
    "status": {"enum": ["open", "archived"]},
}
_VERSION = _text(200, null=False, blank=False) | {"pattern": r"^[^\r\n\f\t/\\]+$"}
_OWNER: Json = {"type": ["string", "integer"], "description": "user name or id of a member"}
_RELEASE_KEYS = (
    *("id", "version", "status", "shortVersion", "versionInfo", "ref", "url", "dateReleased", "dateCreated", "data"),
    *("newGroups", "commitCount", "deployCount", "firstEvent", "lastEvent", "currentProjectMeta", "userAgent", "owner"),
    *("lastCommit", "lastDeploy", "authors", "projects"),
)
_SHOWN_RELEASE = _object(
    {
        **{key: {} for key in _RELEASE_KEYS},
        "version": {"type": "string"},
        "dateCreated": _TIME,
        "dateReleased": _WHEN,
        "newGroups": {"type": "integer"},
        "commitCount": {"type": ["integer", "null"]},
        "deployCount": {"type": ["integer", "null"]},
        "authors": {"type": "array", "items": {"type": "object"}},
        "projects": {"type": "array", "items": {"type": "object"}},
    },
    *_RELEASE_KEYS,
)
_DEPLOY_KEYS = ("id", "environment", "dateStarted", "dateFinished", "name", "url")
_SCHEMAS: Json = {
    "Commit": _COMMIT,
    "Ref": _REF,
    "NewRelease": _object({"version": _VERSION, "projects": _PROJECTS, "owner": _OWNER, **_CHANGE}, "version", "projects"),
    "NewProjectRelease": _object(
        {"version": _VERSION, "owner": _OWNER}
        | {key: value for key, value in _CHANGE.items() if key not in ("refs", "headCommits")},
        "version",
    ),
    "ReleaseChange": _object(_CHANGE),
    "Release": _SHOWN_RELEASE,
    "NewDeploy": _object(
        {
            "environment": _text(64, null=False, blank=False) | {"pattern": r"^[^\r\n\f/]+$"},
            "name": _text(64),
            "url": _text(2048) | {"format": "uri"},
            "dateStarted": _WHEN,
            "dateFinished": _WHEN,
            "projects": _PROJECTS | {"minItems": 1},
        },
        "environment",
    ),
    "Deploy": _object({key: {} for key in _DEPLOY_KEYS} | {"id": {"type": "string"}, "dateFinished": _TIME}, *_DEPLOY_KEYS),
    "Detail": _object({"detail": {"type": ["string", "object"]}}, "detail"),
    "Faults": {"type": "object", "description": "Refused fields, each with its sentences; or one `detail`."},
}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _listing(name: str) -> Json:
    return {"type": "array", "items": _ref(name)}


def _query(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "schema": schema}


_STRING: Json = {"type": "string"}
_SEARCH = [_query("query", _STRING)]
_PAGING = [
    _query("per_page", {"type": "integer", "minimum": 1, "maximum": 100}),
    _query("cursor", _STRING | {"pattern": "^-?[0-9]+:-?[0-9]+:[01]$"}),
]
_PROJECT_QUERY = _query("project", {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]}})
_DATE_NAMES = ("start", "end", "statsPeriod", "statsPeriodStart", "statsPeriodEnd")
_FILTERS = [
    *(_query(name, _STRING) for name in ("query", "environment", "projectSlug", *_DATE_NAMES, "flatten", "adoptionStages")),
    _query("status", {"enum": ["open", "archived", ""]}),
    _query("sort", {"enum": ["date", "semver", "build", "adoption"]}),
    _PROJECT_QUERY,
]


def _call(summary: str, status: str, schema: Json | None, *, body: str = "", query: list[Json] | None = None) -> Json:
    """One operation with every status it may answer."""
    found: Json = {"summary": summary, "responses": {}}
    if body:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
        found["requestBody"]["description"] = "A form with the same fields is read, too."
    if query:
        found["parameters"] = query
    for code in status.split():
        found["responses"][code] = _response("Well", schema)
    refusals = {"400": "Faults", "401": "Detail", "403": "Detail", "404": "Detail", "406": "Detail", "503": "Detail"}
    refusals |= {"409": "Detail", "415": "Detail"} if body else {}
    for code, name in refusals.items():
        found["responses"].setdefault(code, _response("Refused", _ref(name)))
    found["responses"]["429"] = {"description": "Too many requests, where the limit is switched on"}
    return found


def _response(description: str, schema: Json | None) -> Json:
    return {"description": description} | ({"content": {"application/json": {"schema": schema}}} if schema else {})


def _path(*names: str, **calls: Json) -> Json:
    parameters = [{"name": name, "in": "path", "required": True, "schema": _STRING | {"minLength": 1}} for name in names]
    return {"parameters": parameters, **calls}


def _paths() -> Json:
    org, one = "/api/0/organizations/{org}/", "/api/0/organizations/{org}/releases/{version}/"
    project = "/api/0/projects/{org}/{project}/releases/"
    release, deploy, anything = _ref("Release"), _ref("Deploy"), {"type": "array", "items": {"type": "object"}}
    moved = {"302": _response("The project was renamed", {"type": "object"})}
    found = {
        "/api/0/": {"get": _call("Who is calling", "200", {"type": "object"})},
        f"{org}releases/": _path(
            "org",
            get=_call("List releases", "200", _listing("Release"), query=_FILTERS + _PAGING),
            post=_call("Create a release, or add to it", "201 208", release, body="NewRelease"),
        ),
        one: _path(
            *("org", "version"),
            get=_call("Show a release", "200", release, query=[_PROJECT_QUERY]),
            put=_call("Change a release", "200", release, body="ReleaseChange"),
            delete=_call("Remove a release", "204", None),
        ),
        f"{one}commits/": _path("org", "version", get=_call("List commits", "200", anything, query=_PAGING)),
        f"{one}previous-with-commits/": _path("org", "version", get=_call("The release before", "200", {"type": "object"})),
        f"{one}deploys/": _path(
            *("org", "version"),
            get=_call("List last deploys", "200", _listing("Deploy"), query=[_PROJECT_QUERY, *_PAGING]),
            post=_call("Record a deploy", "201", deploy, body="NewDeploy"),
        ),
        f"{one}commitfiles/": _path("org", "version", get=_call("List changed files", "200", anything, query=_PAGING)),
        f"{one}meta/": _path("org", "version", get=_call("Show a release's header", "200", {"type": "object"})),
        f"{one}resolved/": _path("org", "version", get=_call("List resolved issues: none", "200", anything)),
        f"{org}repos/": _path("org", get=_call("List repositories", "200", anything, query=_SEARCH + _PAGING)),
        **_surroundings(anything),
        project: _path(
            *("org", "project"),
            get=_call("List a project's releases", "200", _listing("Release"), query=_PAGING + _FILTERS[:2]),
            post=_call("Create a release of a project", "201 208", release, body="NewProjectRelease"),
        ),
        f"{project}{{version}}/": _path(
            *("org", "project", "version"),
            get=_call("Show a project's release", "200", release),
            put=_call("Change a project's release", "200", release, body="ReleaseChange"),
            delete=_call("Remove a project's release", "204", None),
        ),
        f"{project}{{version}}/commits/": _path(
            *("org", "project", "version"), get=_call("List commits", "200", anything, query=_PAGING)
        ),
        f"{project}{{version}}/repositories/": _path(
            *("org", "project", "version"), get=_call("List repositories of the commits", "200", anything)
        ),
        f"{project}{{version}}/resolved/": _path(
            *("org", "project", "version"), get=_call("List resolved issues: none", "200", anything)
        ),
    }
    for path, calls in found.items():
        for call in (calls[method] for method in ("get", "post", "put", "delete") if method in calls and "{project}" in path):
            call["responses"] |= moved
    return found


def _surroundings(anything: Json) -> Json:
    """What clients ask on their way to a release."""
    org, project, thing = "/api/0/organizations/{org}/", "/api/0/projects/{org}/{project}/", {"type": "object"}
    return {
        "/api/0/organizations/": {"get": _call("List the caller's organization", "200", anything, query=_SEARCH + _PAGING)},
        org: _path("org", get=_call("Show an organization", "200", thing)),
        f"{org}projects/": _path("org", get=_call("List an organization's projects", "200", anything, query=_SEARCH + _PAGING)),
        f"{org}environments/": _path("org", get=_call("List environments", "200", anything)),
        "/api/0/projects/": {"get": _call("List every project", "200", anything, query=_SEARCH + _PAGING)},
        project: _path("org", "project", get=_call("Show a project", "200", thing)),
        f"{project}environments/": _path("org", "project", get=_call("List a project's environments", "200", anything)),
        f"{project}environments/{{environment}}/": _path(
            *("org", "project", "environment"), get=_call("Show a project's environment", "200", thing)
        ),
        "/api/0/auth/": {"get": _call("Who is calling", "200", thing)},
        "/api/0/users/me/regions/": {"get": _call("The one region", "200", thing)},
    }


def describe() -> Json:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tagship releases", "version": "0", "description": f"Scopes: {', '.join(SCOPES)}."},
        "security": [{"token": []}, {"key": []}],
        "paths": _paths(),
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "key": {"type": "http", "scheme": "basic", "description": "the key as user name, no password"},
            },
        },
    }
