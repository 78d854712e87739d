"""What the forge answers with, and the faults that a test can order."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

JSON = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Request:
    """A call as it came: `segments` of the path below the API's root, still percent-encoded."""

    target: str
    segments: tuple[str, ...]
    headers: Mapping[str, str]
    token: str | None
    body: bytes = b""

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def queries(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query)

    def number(self, name: str, default: int, most: int) -> int:
        """A paging parameter; too large a page is clamped without a word, as both forges do."""
        text = self.query.get(name, "")
        return min(max(int(text), 1), most) if text.isdigit() else default


@dataclass(frozen=True)
class Reply:
    """`cut`: after how many bytes of the announced body the connection ends."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None

    @property
    def etag(self) -> str:
        return f'W/"{hashlib.sha256(self.body).hexdigest()}"'


def reply(value: Any, status: int = 200, **headers: Any) -> Reply:
    """JSON; underscores of a header's name are dashes."""
    return Reply(status, json.dumps(value).encode(), {name.replace("_", "-"): text for name, text in headers.items()})


def used_up(seconds: float, status: int = 403) -> Reply:
    """GitHub's quota is used up; it is new in `seconds`."""
    body = {"message": "API rate limit exceeded for user ID 1.", "documentation_url": "https://docs.github.com/rest"}
    return reply(body, status, X_RateLimit_Remaining="0", X_RateLimit_Reset=str(math.ceil(time.time() + seconds)))


def secondary(retry_after: int | None = None, status: int = 403) -> Reply:
    """GitHub's limit on bursts."""
    body = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
    return reply(body, status, **({} if retry_after is None else {"Retry_After": str(retry_after)}))


def throttled(retry_after: int | None = None, reset: float | None = None) -> Reply:
    """GitLab's 429: plain text, with the headers of the limit or (application limits) without any."""
    headers = {"Content-Type": "text/plain"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if reset is not None:
        headers |= {"RateLimit-Remaining": "0", "RateLimit-Reset": str(int(time.time() + reset))}
    return Reply(429, b"Retry later\n", headers)


def page_links(request: Request, url: str, number: int, last: int) -> dict[str, Any]:
    """GitHub's Link header; none when all fits on one page."""
    rest = [f"{name}={value}" for name, value in request.queries if name != "page"]
    base = f"{url}{urlsplit(request.target).path}?{'&'.join([*rest, 'page='])}"
    ends = {"prev": number - 1, "next": number + 1, "first": 1, "last": last}
    wanted = [rel for rel in ends if (rel in ("prev", "first") and number > 1) or (rel in ("next", "last") and number < last)]
    return {"Link": ", ".join(f'<{base}{ends[rel]}>; rel="{rel}"' for rel in wanted)} if wanted else {}
