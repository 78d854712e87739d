"""What of an answer is kept and compared: status, some headers, a body without what differs from server to server. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

HEADERS: tuple[str, ...] = (
    "Allow",
    "Content-Type",
    "WWW-Authenticate",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Origin",
)
HEADERS += ("Access-Control-Max-Age", "Vary", "X-Frame-Options", "Location")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_ARROW = re.compile(" +\\^")  # below a path, whose length depends on the version
_COUNTS = ("commitCount", "deployCount")  # null here where it is 0 there, as docs/releases-endpoint.md says
_OPEN = (
    "name",
    "id",
    "version",
    "shortVersion",
    "raw",
    "description",
    "slug",
    "access",
    "features",
    "message",
    "title",
    "avatarUrl",
)


# Of organizations, projects and people an original shows settings, features, teams and more, which are absent here.
_SURROUNDING_KEYS = frozenset(
    [
        "id",
        "slug",
        "name",
        "status",
        "dateCreated",
        "isEarlyAdopter",
        "require2FA",
        "requireEmailVerification",
        "avatar",
        "avatarType",
        "avatarUuid",
        "links",
        "organizationUrl",
        "regionUrl",
        "hasAuthProvider",
        "platform",
        "platforms",
        "isBookmarked",
        "firstEvent",
        "hasAccess",
        "hasSessions",
        "hasMonitors",
        "organization",
        "isPublic",
        "isInternal",
        "eventProcessing",
        "environments",
        "isHidden",
        "detail",
        "version",
        "auth",
        "user",
        "username",
        "email",
        "emails",
        "is_verified",
        "isActive",
        "isManaged",
        "has2fa",
        "lastLogin",
        "permissions",
        "authenticators",
        "url",
        "provider",
        "integrationId",
        "externalSlug",
    ]
)


def shape(body: bytes, version: str, *, is_surrounding: bool = False) -> Any:
    """The body: texts of a refusal and small values as they are, everything that is a row's own as the name of its kind."""
    try:
        found = _shape(json.loads(body), version)
    except ValueError:
        return _ARROW.sub("^", body.decode("utf-8", "replace").replace(version, "{V}"))
    return _only(found) if is_surrounding else found


def _only(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _only(inner) for name, inner in value.items() if name in _SURROUNDING_KEYS}
    return [_only(one) for one in value] if isinstance(value, list) else value


def _shape(value: Any, version: str, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _shape(inner, version, name) for name, inner in sorted(value.items())}
    if isinstance(value, list):
        return (
            [_shape(value[0], version, key)]
            if value and isinstance(value[0], dict)
            else [_shape(one, version) for one in value]
        )
    if key in _COUNTS:
        return "count"
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        if _TIME.fullmatch(value):
            return "time"
        return "text" if key in _OPEN and value else value.replace(version, "{V}")
    return "number"


def headers(found: Any, *, is_surrounding: bool = False) -> dict[str, str]:
    """Those that are compared; of Link, which pages hold something. What surrounds releases can only be read here."""
    kept = {name: found[name] for name in (HEADERS[1:3] if is_surrounding else HEADERS) if name in found}
    if link := found.get("Link"):
        kept["Link"] = " ".join(sorted(re.findall(r'rel="(\w+)"; results="true"', link)))
    return kept


def write_answers(answers: Mapping[str, list[list[Any]]]) -> str:
    """JSON with one line for each different answer, and which of them each session met."""
    distinct: dict[str, int] = {}
    met = {
        name: [distinct.setdefault(json.dumps(answer), len(distinct)) for answer in found] for name, found in answers.items()
    }
    lines = ",\n".join(distinct)
    return f'{{"answers": [\n{lines}\n],\n"met": {json.dumps(met)}}}\n'


def read_answers(text: str) -> dict[str, list[list[Any]]]:
    """(status, headers, body) of each request of each session."""
    read = json.loads(text)
    return {name: [read["answers"][place] for place in places] for name, places in read["met"].items()}
