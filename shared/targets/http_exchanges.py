"""What one attempt sent to its target and what came back, fit to be stored and shown: bounded, its token masked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.domain.names import clean
from shared.domain.times import rfc3339
from shared.infra.http_client import Answer
from shared.infra.redaction import mask_beginning

LONGEST_BODY = 2_000  # bytes of each body that are kept
MOST = 8  # exchanges of one attempt: the first half of these, and the last
_LONGEST_VALUE = 300  # of a header, an address, an error
# Of the answer: what tells who answered, how long to wait, and where a redirect would lead.
_TELLING = (
    "content-type",
    "content-length",
    "date",
    "location",
    "retry-after",
    "server",
    "via",
    "x-request-id",
    "x-sentry-rate-limit-limit",
    "x-sentry-rate-limit-remaining",
    "x-sentry-rate-limit-reset",
)

Json = dict[str, Any]


class Exchanges:
    """Those of one attempt. `token` goes into no value that is kept, however the other side echoes it."""

    def __init__(self) -> None:
        self._first: list[Json] = []
        self._last: list[Json] = []
        self._left_out = 0

    def add(
        self,
        *,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        answer: Answer | None,
        error: str | None,
        token: str,
        at: datetime,
        milliseconds: int,
    ) -> None:
        """`answer` is None when none came; then `error` says why."""
        made = {
            "at": rfc3339(at, "milliseconds"),
            "milliseconds": milliseconds,
            "request": {
                "method": method,
                "url": url[:_LONGEST_VALUE],
                "headers": {name: _masked(value, token) for name, value in headers.items()},
                **_beginning(body, token),
            },
            "response": None if answer is None else _response(answer, token),
            "error": None if error is None else _masked(error, token),
        }
        if len(self._first) < MOST // 2:
            self._first.append(made)
            return
        self._last.append(made)
        if len(self._last) > MOST - MOST // 2:
            del self._last[0]
            self._left_out += 1

    def as_json(self) -> Json | None:
        """For the attempt's row: those in order, and how many more there were between the first and the last of them; None
        when nothing was sent."""
        return {"exchanges": self._first + self._last, "left_out": self._left_out} if self._first else None


def _response(answer: Answer, token: str) -> Json:
    headers = {name: answer.headers[name] for name in _TELLING if name in answer.headers}
    if "location" in headers:  # a sign-in page's address carries state in its query
        headers["location"] = headers["location"].partition("?")[0]
    return {
        "status": answer.status,
        "headers": {name: _masked(value, token) for name, value in headers.items()},
        **_beginning(answer.body, token),
    }


def _beginning(body: bytes | None, token: str) -> Json:
    if body is None:
        return {"bytes": 0, "body": None, "is_cut": False}
    return {
        "bytes": len(body),
        "body": clean(mask_beginning(body, token, LONGEST_BODY).decode("utf-8", "replace")),
        "is_cut": len(body) > LONGEST_BODY,
    }


def _masked(text: str, token: str) -> str:
    return mask_beginning(text.encode("utf-8", "replace"), token, _LONGEST_VALUE).decode("utf-8", "ignore")
