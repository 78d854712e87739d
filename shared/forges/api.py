"""GET requests to one forge's API: counted, conditional where asked, redirects held to the host, refusals named.

What is common to every forge; paths, fields and limits are each provider's own (`github/api.py`, `gitlab/api.py`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

from shared.domain.names import SHA, is_full_name
from shared.domain.provider_settings import APIS
from shared.domain.push import is_valid_ref
from shared.domain.reasons import Reason
from shared.errors import PermanentError, TransientError
from shared.forges.call_gate import Limit
from shared.forges.errors import Missing, RateLimited, Refused
from shared.forges.forge import ForgeAccess
from shared.forges.kept_pages import Shelf
from shared.forges.responses import said
from shared.infra.http_client import READ_OF_REFUSAL, Answer, Deadline, call, redacted

T = TypeVar("T")
Query = Sequence[tuple[str, str | int]]

REDIRECTS = (301, 302, 307, 308)
_PASSING = (408, 425, 429)
_LONGEST_HOLD = timedelta(days=1)
_REFUSED_FOR = timedelta(seconds=30)  # less than what the ledger notes for all processes, so that a new answer is heard
_LONGEST_ADDRESS = 8_000
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{1,200}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What one provider's API says differently. `held_until` reads a rate limit out of a refusal, None if it is none."""

    provider: str
    root: str  # below base_url: "" or "/api/v4"
    path: Callable[[str], str]  # a repository's full name -> where it stands below `root`, encoded
    headers: Mapping[str, str]
    held_until: Callable[[Answer, datetime], datetime | None]


class Api:
    """One forge for one job. Not for several threads at once."""

    def __init__(self, access: ForgeAccess, dialect: Dialect) -> None:
        self._access = access
        self._dialect = dialect
        self._settings = APIS[dialect.provider]
        self._root = access.base_url + dialect.root
        self._readable: set[str] = set()  # repositories that have answered: a 404 there is about a sha or ref
        self._moved: dict[str, str] = {}  # repository's path -> where its redirect led
        self.host = urlsplit(access.base_url).netloc
        self.scope = f"{dialect.provider}:{self.host}:{_mark(access.token)}"
        self.shelf = Shelf(access.listings)

    def scope_of(self, repository: str) -> str:
        """What a refusal to read this repository holds."""
        return f"{self.scope} {_digest(repository)}"

    def get(self, repository: str, path: str, query: Query, deadline: Deadline, *, reads: Collection[int] = ()) -> Answer:
        """GET `repository` + `path`, both encoded already. Any status but 200 and those in `reads` raises."""
        answer = self._send(repository, self._url(repository, path, query), {}, deadline)
        return self._judge(repository, answer, reads)

    def get_kept(self, repository: str, path: str, query: Query, deadline: Deadline, read: Callable[[Answer], T]) -> T:
        """What `read` makes of the page; one that has not changed since it was last read costs GitHub's quota nothing.

        https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests
        """
        url = self._url(repository, path, query)
        kept = self._access.pages.find(url)
        headers = {} if kept is None else {"If-None-Match": kept.etag}
        answer = self._send(repository, url, headers, deadline)
        if answer.status == 304 and kept is not None:
            self._readable.add(repository)
            unchanged: T = kept.value
            return unchanged
        value = read(self._judge(repository, answer, ()))
        etag = answer.headers.get("etag", "")
        if _ETAG.fullmatch(etag):
            self._access.pages.keep(url, etag, value)
        return value

    def post(self, path: str, body: bytes, deadline: Deadline) -> Answer:
        """POST beside the REST API: below `/api/v3` of an Enterprise Server lies REST, below `/api` GraphQL. Whatever the
        status; raises RateLimited and TransientError."""
        url = self._access.base_url.removesuffix("/v3") + path
        headers = {**self._dialect.headers, "Content-Type": "application/json"}
        return self._call(url, headers, deadline, body)

    def missing(self, repository: str, name: str, deadline: Deadline) -> Missing:
        """The error for a 404 on `name`, once it is sure that the repository itself can be read; else raises PermanentError.

        A repository without access answers 404 like one that is not there.
        https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
        """
        if repository not in self._readable:
            self.get(repository, "", (), deadline)
        return Missing(f"{self.host} has no {name[:100]} (yet)", name=name, status=404)

    def _url(self, repository: str, path: str, query: Query) -> str:
        root = self._moved.get(repository, self._root + repository)
        return f"{root}{path}" + (f"?{urlencode(query)}" if query else "")

    def _send(self, repository: str, url: str, extra: Mapping[str, str], deadline: Deadline) -> Answer:
        """One request, and one more when the repository has moved within the host: a renamed one answers 301 for good."""
        headers = {**self._dialect.headers, **extra}
        answer = self._call(url, headers, deadline)
        if answer.status not in REDIRECTS:
            return answer
        place = _place_within(self._root, url, answer.headers.get("location", ""))
        if place is None:
            raise PermanentError(
                f"{self.host} redirects to another place, which is not followed: check {self._settings.address}",
                reason=Reason.FORGE_REFUSED,
                status=answer.status,
            )
        answer = self._call(place, headers, deadline)
        if answer.status in REDIRECTS:
            raise PermanentError(f"{self.host} redirects twice", reason=Reason.FORGE_REFUSED, status=answer.status)
        suffix = url.removeprefix(self._root + repository)
        if suffix != url and place.endswith(suffix) and repository not in self._moved:
            self._moved[repository] = place[: len(place) - len(suffix)]
        return answer

    def _call(self, url: str, headers: Mapping[str, str], deadline: Deadline, body: bytes | None = None) -> Answer:
        """One request in its turn. Raises RateLimited, without a call where another job of this process met the limit."""
        turns = self._access.turns
        with turns.take(deadline):
            now = datetime.now(UTC)
            if turns.limit is not None and turns.limit.until > now:
                raise self._held(turns.limit, now)
            method = "GET" if body is None else "POST"
            answer = call(self._access.client, method, url, headers=headers, deadline=deadline, body=body)
            now = datetime.now(UTC)
            if answer.status in (403, 429) and (until := self._dialect.held_until(answer, now)) is not None:
                until = min(max(until, now + timedelta(seconds=1)), now + _LONGEST_HOLD)
                turns.limit = Limit(until, answer.status)
                raise self._held(turns.limit, now)
            if answer.status >= 400 and self._access.token:
                # What lies between may echo it: it must not reach a job's error by that way, whoever reads the refusal.
                answer = redacted(answer, self._access.token, READ_OF_REFUSAL)
            if answer.status == 401 and body is None:
                turns.limit = Limit(now + _REFUSED_FOR, 401, self._why_refused(answer))
                raise self._held(turns.limit, now)
            return answer

    def _held(self, limit: Limit, now: datetime) -> RateLimited | Refused:
        if limit.why is not None:
            return Refused(limit.why, scope=self.scope, status=limit.status)
        token = f"this {self._settings.token}" if self._access.token else f"no {self._settings.token} set"
        detail = f"{self.host} takes no more calls with {token} before {limit.until:%Y-%m-%d %H:%M:%S} UTC"
        return RateLimited(detail, scope=self.scope, until=limit.until, now=now, status=limit.status)

    def _judge(self, repository: str, answer: Answer, reads: Collection[int]) -> Answer:
        if answer.status == 200 or answer.status in reads:
            if answer.status == 200:
                self._readable.add(repository)
            return answer
        raise self._refusal(repository, answer)

    def _why_refused(self, answer: Answer) -> str:
        return f"{self.host} answered {answer.status}: check {self._settings.token}{said(answer)}"

    def _refusal(self, repository: str, answer: Answer) -> TransientError | PermanentError:
        status = answer.status
        where = f"{self.host} answered {status}"
        if status >= 500 or status in _PASSING:
            return TransientError(f"{where}{said(answer)}", status=status)
        if status == 403:
            return Refused(self._why_refused(answer), scope=self.scope_of(repository), status=status)
        if status == 404:
            why = f"no such repository, or {self._settings.token} is not set or may not read it"
            return Refused(f"{where}: {why}", scope=self.scope_of(repository), status=status)
        return PermanentError(f"{where}{said(answer)}", reason=Reason.FORGE_REFUSED, status=status)


def _mark(token: str | None) -> str:
    """Tells one token's limits from another's, and tells nothing of the token."""
    return "none" if token is None else _digest(token)


def _digest(text: str) -> str:
    return hashlib.sha256(b"tagship\n" + text.encode()).hexdigest()[:12]


def check_sha(sha: str) -> str:
    """Shas go into URLs: 40 or 64 lower-case hexadecimal digits, else ValueError (a fault of ours, not of the forge)."""
    if not SHA.fullmatch(sha):
        raise ValueError("a commit id must be 40 or 64 hexadecimal digits")
    return sha


def check_full_name(repository: str) -> str:
    """The same for `owner/name`."""
    if not is_full_name(repository):
        raise ValueError("a repository must be named as owner/name")
    return repository


def check_tag_name(name: str) -> str:
    """The same for a tag's name without `refs/tags/`."""
    if not is_valid_ref(f"refs/tags/{name}"):
        raise ValueError("a tag must have a name that git allows")
    return name


def _place_within(root: str, url: str, location: str) -> str | None:
    """Where a redirect leads, None unless that is below `root` on the same scheme, host and port: the token goes along."""
    if not (location.isascii() and location.isprintable() and len(location) <= _LONGEST_ADDRESS):
        return None
    try:
        place = urljoin(url, location)
        parts = urlsplit(place)
        is_same_host = _origin(place) == _origin(root) and "@" not in parts.netloc
    except ValueError:
        return None
    is_below = parts.path.startswith(f"{urlsplit(root).path}/") and ".." not in parts.path.split("/")
    return place if is_same_host and is_below else None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme.lower())
