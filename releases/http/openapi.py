"""The server's own OpenAPI description, written out as data and served at /api/0/openapi.json. Pure."""

from __future__ import annotations

from releases.http.openapi_parts import (
    PAGING,
    SEARCH,
    STRING,
    Json,
    listing,
    object_schema,
    operation,
    parameter,
    path_item,
    ref,
    response,
    text_schema,
)
from releases.http.openapi_uploads import describe_uploads
from releases.tenancy.credentials import SCOPES

_TIME: Json = {"type": "string", "format": "date-time"}
_WHEN: Json = {"anyOf": [_TIME, {"type": "null"}]}
_PROJECTS: Json = {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}


_FILE = object_schema({"path": text_schema(510, null=False, blank=False), "type": {"enum": ["A", "M", "D"]}}, "path", "type")
_COMMIT = object_schema(
    {
        "id": text_schema(64, null=False, blank=False),
        "repository": text_schema(64),
        "message": text_schema(),
        "author_name": text_schema(128),
        "author_email": text_schema(75),
        "timestamp": _WHEN,
        "patch_set": {"anyOf": [{"type": "array", "items": _FILE}, {"type": "null"}]},
    },
    "id",
)
_REF = object_schema(
    {
        "repository": text_schema(200, null=False, blank=False),
        "commit": text_schema(130, null=False, blank=False) | {"description": "SHA or START..END, 64 characters each"},
        "previousCommit": text_schema(64),
    },
    "repository",
    "commit",
)
_HEAD = object_schema(
    {
        "repository": text_schema(64, null=False, blank=False),
        "currentId": text_schema(64, null=False, blank=False),
        "previousId": text_schema(64, blank=False),
    },
    "repository",
    "currentId",
)
_CHANGE: Json = {
    "ref": text_schema(200),
    "url": text_schema(2048) | {"format": "uri"},
    "dateReleased": _WHEN,
    "commits": {"type": "array", "items": {"$ref": "#/components/schemas/Commit"}},
    "refs": {"type": "array", "items": {"$ref": "#/components/schemas/Ref"}},
    "headCommits": {"type": "array", "items": _HEAD},
    "status": {"enum": ["open", "archived"]},
}
_VERSION = text_schema(200, null=False, blank=False) | {"pattern": r"^[^\r\n\f\t/\\]+$"}
_OWNER: Json = {"type": ["string", "integer"], "description": "user name or id of a member"}
_RELEASE_KEYS = (
    *("id", "version", "status", "shortVersion", "versionInfo", "ref", "url", "dateReleased", "dateCreated", "data"),
    *("newGroups", "commitCount", "deployCount", "firstEvent", "lastEvent", "currentProjectMeta", "userAgent", "owner"),
    *("lastCommit", "lastDeploy", "authors", "projects"),
)
_SHOWN_RELEASE = object_schema(
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
_SHA1: Json = {"type": "string", "pattern": "^[0-9a-f]{40}$"}
_BUNDLE: Json = {"checksum": _SHA1, "chunks": {"type": "array", "items": _SHA1}}
_DEPLOY_KEYS = ("id", "environment", "dateStarted", "dateFinished", "name", "url")
_SCHEMAS: Json = {
    "Commit": _COMMIT,
    "Ref": _REF,
    "NewRelease": object_schema(
        {"version": _VERSION, "projects": _PROJECTS, "owner": _OWNER, **_CHANGE}, "version", "projects"
    ),
    "NewProjectRelease": object_schema(
        {"version": _VERSION, "owner": _OWNER}
        | {key: value for key, value in _CHANGE.items() if key not in ("refs", "headCommits")},
        "version",
    ),
    "ReleaseChange": object_schema(_CHANGE),
    "Release": _SHOWN_RELEASE,
    "NewDeploy": object_schema(
        {
            "environment": text_schema(64, null=False, blank=False) | {"pattern": r"^[^\r\n\f/]+$"},
            "name": text_schema(64),
            "url": text_schema(2048) | {"format": "uri"},
            "dateStarted": _WHEN,
            "dateFinished": _WHEN,
            "projects": _PROJECTS | {"minItems": 1},
        },
        "environment",
    ),
    "Deploy": object_schema(
        {key: {} for key in _DEPLOY_KEYS} | {"id": {"type": "string"}, "dateFinished": _TIME}, *_DEPLOY_KEYS
    ),
    "NewBundle": object_schema(
        {
            **_BUNDLE,
            "projects": {"type": "array", "items": {"type": "string"}},
            "version": _VERSION,
            "dist": {"type": "string"},
        },
        *("checksum", "chunks", "projects"),
    ),
    "NewReleaseBundle": object_schema(_BUNDLE, "checksum", "chunks"),
    "FileChange": object_schema({"name": text_schema(200, null=False, blank=False)}, "name"),
    "Detail": object_schema({"detail": {"type": ["string", "object"]}}, "detail"),
    "Faults": {"type": "object", "description": "Refused fields, each with its sentences; or one `detail`."},
}


_PROJECT_QUERY = parameter("project", {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]}})
_DATE_NAMES = ("start", "end", "statsPeriod", "statsPeriodStart", "statsPeriodEnd")
_FILTERS = [
    *(parameter(name, STRING) for name in ("query", "environment", "projectSlug", *_DATE_NAMES, "flatten", "adoptionStages")),
    parameter("status", {"enum": ["open", "archived", ""]}),
    parameter("sort", {"enum": ["date", "semver", "build", "adoption"]}),
    _PROJECT_QUERY,
]


def _paths() -> Json:
    org, one = "/api/0/organizations/{org}/", "/api/0/organizations/{org}/releases/{version}/"
    project = "/api/0/projects/{org}/{project}/releases/"
    release, deploy, anything = ref("Release"), ref("Deploy"), {"type": "array", "items": {"type": "object"}}
    moved = {"302": response("The project was renamed", {"type": "object"})}
    found = {
        "/api/0/": {"get": operation("Who is calling", "200", {"type": "object"})},
        f"{org}releases/": path_item(
            "org",
            get=operation("List releases", "200", listing("Release"), query=_FILTERS + PAGING),
            post=operation("Create a release, or add to it", "201 208", release, body="NewRelease"),
        ),
        one: path_item(
            *("org", "version"),
            get=operation("Show a release", "200", release, query=[_PROJECT_QUERY]),
            put=operation("Change a release", "200", release, body="ReleaseChange"),
            delete=operation("Remove a release", "204", None),
        ),
        f"{one}commits/": path_item("org", "version", get=operation("List commits", "200", anything, query=PAGING)),
        f"{one}previous-with-commits/": path_item(
            "org", "version", get=operation("The release before", "200", {"type": "object"})
        ),
        f"{one}deploys/": path_item(
            *("org", "version"),
            get=operation("List last deploys", "200", listing("Deploy"), query=[_PROJECT_QUERY, *PAGING]),
            post=operation("Record a deploy", "201", deploy, body="NewDeploy"),
        ),
        f"{one}commitfiles/": path_item("org", "version", get=operation("List changed files", "200", anything, query=PAGING)),
        f"{one}meta/": path_item("org", "version", get=operation("Show a release's header", "200", {"type": "object"})),
        f"{one}resolved/": path_item("org", "version", get=operation("List resolved issues: none", "200", anything)),
        f"{org}repos/": path_item("org", get=operation("List repositories", "200", anything, query=SEARCH + PAGING)),
        **_surroundings(anything),
        **describe_uploads(anything),
        project: path_item(
            *("org", "project"),
            get=operation("List a project's releases", "200", listing("Release"), query=PAGING + _FILTERS[:2]),
            post=operation("Create a release of a project", "201 208", release, body="NewProjectRelease"),
        ),
        f"{project}{{version}}/": path_item(
            *("org", "project", "version"),
            get=operation("Show a project's release", "200", release),
            put=operation("Change a project's release", "200", release, body="ReleaseChange"),
            delete=operation("Remove a project's release", "204", None),
        ),
        f"{project}{{version}}/commits/": path_item(
            *("org", "project", "version"), get=operation("List commits", "200", anything, query=PAGING)
        ),
        f"{project}{{version}}/repositories/": path_item(
            *("org", "project", "version"), get=operation("List repositories of the commits", "200", anything)
        ),
        f"{project}{{version}}/resolved/": path_item(
            *("org", "project", "version"), get=operation("List resolved issues: none", "200", anything)
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
        "/api/0/organizations/": {"get": operation("List the caller's organization", "200", anything, query=SEARCH + PAGING)},
        org: path_item("org", get=operation("Show an organization", "200", thing)),
        f"{org}projects/": path_item(
            "org", get=operation("List an organization's projects", "200", anything, query=SEARCH + PAGING)
        ),
        f"{org}environments/": path_item("org", get=operation("List environments", "200", anything)),
        "/api/0/projects/": {"get": operation("List every project", "200", anything, query=SEARCH + PAGING)},
        project: path_item("org", "project", get=operation("Show a project", "200", thing)),
        f"{project}environments/": path_item("org", "project", get=operation("List a project's environments", "200", anything)),
        f"{project}environments/{{environment}}/": path_item(
            *("org", "project", "environment"), get=operation("Show a project's environment", "200", thing)
        ),
        "/api/0/auth/": {"get": operation("Who is calling", "200", thing)},
        "/api/0/users/me/regions/": {"get": operation("The one region", "200", thing)},
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
