"""The rows of `targets check`, and how answers become rows. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from shared.infra.http_client import Answer

State = Literal["ok", "warning", "failed", "unknown"]
STATES: tuple[str, ...] = get_args(State)
CHECKS = (
    *("address", "tls", "token", "organization", "projects", "scopes"),
    *("releases", "commits", "deploys", "repositories"),
)
_TRY = "--write finds out"
_WRITING = {"project:releases", "project:write", "project:admin", "org:ci"}


@dataclass(frozen=True, slots=True)
class Row:
    """`check`: one of CHECKS. `failed`: no release can be made so. `detail`: one sentence."""

    check: str
    state: State
    detail: str


def is_usable(rows: Iterable[Row]) -> bool:
    return all(row.state != "failed" for row in rows)


def judge_tls(url: str) -> Row:
    """Of a target that has answered."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return Row("tls", "ok", "the certificate is trusted")
    if _is_this_machine(parts.hostname or ""):
        return Row("tls", "ok", "none, on this machine")
    return Row("tls", "warning", "none: whoever is on the way reads the token; use https://")


def judge_scopes(index: Any) -> Row:
    """Sentry says at /api/0/ what the token may do; others do not."""
    auth = index.get("auth") if isinstance(index, dict) else None
    listed = auth.get("scopes") if isinstance(auth, dict) else None
    if not isinstance(listed, list):
        return Row("scopes", "unknown", f"this server does not say what the token may do; {_TRY}")
    scopes = sorted(scope for scope in listed if isinstance(scope, str))
    if _WRITING.isdisjoint(scopes):
        return Row("scopes", "failed", f"the token has {', '.join(scopes) or 'no scope'}: it needs project:releases")
    return Row("scopes", "ok", f"the token has {', '.join(scopes)}")


def judge_list(entries: Sequence[Mapping[str, Any]], cursor: str | None, following: Any) -> Row:
    """`cursor`: of the page that follows, as `next_cursor` gives it; `following`: the JSON of that page."""
    if cursor is None:
        return Row("releases", "ok", "can be listed" if entries else "can be listed; there is none yet")
    seen = {entry.get("version") for entry in entries}
    if cursor and isinstance(following, list) and not all(entry.get("version") in seen for entry in objects(following)):
        return Row("releases", "ok", "can be listed, page by page")
    if cursor and following == []:
        return Row("releases", "ok", "can be listed")
    return Row("releases", "failed", "the list cannot be followed to its second page: reconcile would not work")


def judge_count(check: str, entries: Sequence[Mapping[str, Any]], count: Callable[[Mapping[str, Any]], object]) -> Row:
    """Whether one of the newest releases has some."""
    for entry in entries:
        number = count(entry)
        if isinstance(number, int) and number > 0:
            return Row(check, "ok", f"kept: the release {str(entry.get('version'))[:60]!r} has {number}")
    return Row(check, "unknown", f"none on the newest {len(entries)} releases; {_TRY}")


def judge_projects(asked: Sequence[str], missing: Sequence[str], unclear: Sequence[str]) -> Row:
    if missing:
        return Row("projects", "failed", f"not there for this token: {', '.join(missing)}")
    if unclear:
        return Row("projects", "unknown", f"this server does not say whether it has {', '.join(unclear)}; {_TRY}")
    return Row("projects", "ok", f"there: {', '.join(asked)}")


def as_json(rows: Sequence[Row]) -> list[dict[str, str]]:
    return [asdict(row) for row in rows]


def count_deploys(entry: Mapping[str, Any]) -> object:
    return entry.get("deployCount") or (1 if entry.get("lastDeploy") else 0)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_json(answer: Answer) -> Any:
    try:
        return json.loads(answer.body.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        return None


def objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
