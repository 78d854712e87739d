"""What an answer of the target that is no success means: try again later, or a person must act, and on what. Pure.

A target answers in JSON objects. Any other body of a 401, 403 or 404 comes from somebody before it (a proxy, a sign-in page) or
from another program at this address, and says nothing about the token or the organization.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from html import unescape
from typing import Any, Literal

from shared.domain.names import clean
from shared.domain.reasons import Reason
from shared.domain.rules import Target
from shared.errors import PermanentError, TransientError
from shared.infra.http_client import Answer, retry_after

Call = Literal["release", "deploy", "list"]

_PASSING = {408, 409, 425, 429}
_LONGEST_EXCERPT = 300
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,500})", re.IGNORECASE)
_FIELDS = {
    "projects": Reason.PROJECT_UNKNOWN,
    "version": Reason.VERSION_REFUSED,
    "refs": Reason.REPOSITORY_UNKNOWN,
}


def refusal(answer: Answer, target: Target, call: Call, now: datetime) -> TransientError | PermanentError:
    """`answer`: a status outside 200 to 299, its body bounded and masked. The text is one sentence for operators."""
    status, said, fields = answer.status, excerpt(answer.body), _object(answer.body)
    where = f"the target {target.name!r} answered {status}"
    if status >= 500 or status in _PASSING:
        reason = Reason.RATE_LIMITED if status == 429 else None
        return TransientError(f"{where}{said}", reason=reason, status=status, retry_after=retry_after(answer.headers, now))
    if 300 <= status < 400:
        return PermanentError(
            _redirected(where, answer.headers.get("location", "")), reason=Reason.TARGET_REFUSED, status=status
        )
    if call == "deploy" and (status in (403, 404, 405) or (status == 400 and _has_no_access(fields))):
        return _deploy_refused(where, said, target, status)
    if status in (401, 403, 404) and fields is None:
        return TransientError(_not_the_target(where, target, answer), reason=Reason.TARGET_REFUSED, status=status)
    if status in (401, 403):
        return _barred(where, said, target, status)
    if status == 404:
        text = f"{where}: no organization {target.org!r} for this token at {target.url}{said}"
        return PermanentError(text, reason=Reason.TARGET_REFUSED, status=status)
    return PermanentError(f"{where}{said}", reason=_reason(fields), status=status, answer=answer.body)


def _redirected(where: str, location: str) -> str:
    """The query of a sign-in page's address carries state, so it is left out."""
    to = location.partition("?")[0][:_LONGEST_EXCERPT]
    return f"{where}, a redirect{f' to {to}' if to else ''}, which is not followed: set the target's own URL"


def _not_the_target(where: str, target: Target, answer: Answer) -> str:
    if answer.status == 404:
        return f"{where}: there is no releases API at {target.url}{page_title(answer.body)}"
    return f"{where} with a page and not as an API does, so a proxy or sign-in page sent it{page_title(answer.body)}"


def _barred(where: str, said: str, target: Target, status: int) -> PermanentError:
    is_wrong = status == 401 or "csrf" in said.lower()  # GlitchTip's answer to a token that it does not know
    what = f"check {target.token_env}" if is_wrong else f"{target.token_env} needs the scope project:releases"
    return PermanentError(f"{where}: {what}{said}", reason=Reason.TARGET_AUTH, status=status)


def _deploy_refused(where: str, said: str, target: Target, status: int) -> TransientError:
    """The release was accepted, so the token and the organization are fine: it is this deploy alone."""
    why = {
        404: "it does not find the release of this deploy",  # Sentry answers so for a moment after it has created the release
        405: "it records no deploys",
    }.get(status, f"{target.token_env} may not record this deploy")
    return TransientError(f"{where}: {why}{said}", status=status, is_of_release=True)


def _reason(fields: Mapping[str, Any] | None) -> Reason:
    """Which field was refused: Sentry says {field: [texts]}, GlitchTip {"detail": [{"loc": [...]}]}."""
    if fields is None:
        return Reason.TARGET_REFUSED
    detail = fields.get("detail")
    places = [str(item.get("loc", "")) + "".join(map(str, item)) for item in _objects(detail)]
    for field, reason in _FIELDS.items():
        if field in fields:
            return Reason.TARGET_AUTH if _has_no_access(fields) else reason
        if any(field in place for place in places):
            return reason
    return Reason.TARGET_REFUSED


def _has_no_access(fields: Mapping[str, Any] | None) -> bool:
    """Sentry's words for a project that is not for this token: a deploy may name projects only with project:read."""
    return fields is not None and "insufficient access" in json.dumps(fields.get("projects")).lower()


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value[:20] if isinstance(item, dict)] if isinstance(value, list) else []


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def page_title(body: bytes) -> str:
    """`: "Sign in"`, or nothing: what a person recognises a page by."""
    found = _TITLE.search(clean(body[: 64 * 1024].decode("utf-8", "replace")))
    title = " ".join(unescape(found[1]).split())[:100] if found else ""
    return f': "{title}"' if title else ""


def excerpt(body: bytes) -> str:
    """The answer's text, short; of an HTML page its title. PostgreSQL stores no NUL."""
    text = " ".join(clean(body[: 4 * _LONGEST_EXCERPT].decode("utf-8", "replace")).split())
    if text.startswith("<"):
        return page_title(body)
    if not text:
        return ""
    return ": " + (text if len(text) <= _LONGEST_EXCERPT else text[:_LONGEST_EXCERPT] + "…")
