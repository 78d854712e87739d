"""The releases client: a plan goes out over HTTP, an outcome or a named error comes back. Decides nothing else.

Statuses: rows 1.4 and 1.9 of docs/releases-endpoint.md.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
from pydantic_core import to_json

from shared.domain.reasons import Reason
from shared.domain.release_answer import is_older
from shared.domain.rules import Target
from shared.errors import PermanentError, TransientError
from shared.infra.http_client import READ_OF_REFUSAL, Answer, Deadline, call, redacted
from shared.targets.answer_fields import answered_at, is_linked, is_same_moment, version_of
from shared.targets.http_exchanges import Exchanges
from shared.targets.refusals import Call, page_title, refusal
from shared.targets.repository_names import KnownRepository

_REPOSITORY_PAGES = 10
_RELEASE_PAGES = 200
_LIST_SECONDS = 8.0
_QUESTION_SECONDS = 5.0
_MOST_PROJECTS = 10
_LINK = re.compile(r"<([^<>]*)>([^<>]*)")
_CURSOR = re.compile(r'cursor="([^"]*)"')
_SENDABLE = re.compile(r"[\x21-\x7e]{1,500}")
_LONGEST_LINK = 8_000


@dataclass(frozen=True, slots=True)
class Sent:
    """`outcome`: created, or existed where it was there before our request. The status does not say it: a server may always
    answer 201, as Sentry does for a project that is new to the release. `answer`: the release as the target has it."""

    outcome: str
    http_status: int
    url: str
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_old(self) -> bool:
        return self.outcome == "existed"


class SentryClient:
    """Speaks to one target. `delivery_id` goes along in a header, so that both sides' logs can be joined.

    Every call is put into `kept`, if given.
    """

    def __init__(self, client: httpx2.Client, target: Target, token: str, kept: Exchanges | None = None) -> None:
        self._client = client
        self._target = target
        self._token = token
        self._kept = kept

    def send_release(self, body: Mapping[str, Any], *, delivery_id: str | None, deadline: Deadline) -> Sent:
        """POST the release; safe to repeat. Raises TransientError, PermanentError."""
        began = time.monotonic()
        answer = self._call("POST", "releases/", deadline, delivery_id, body, "release")
        release = self._release(answer)
        if version_of(release) is None:
            raise self._odd(answer)
        is_old = is_older(release, answered_at(answer), timedelta(seconds=time.monotonic() - began))
        outcome = "created" if answer.status == 201 and not is_old else "existed"
        return Sent(outcome, answer.status, self.release_url(body["version"]), release)

    def find_release(self, version: str, deadline: Deadline | None = None) -> Sent | None:
        """The release as the target has it, None where it has none. Raises TransientError, PermanentError."""
        path = f"releases/{quote(version, safe='')}/"
        try:
            answer = self._call("GET", path, deadline or Deadline(_QUESTION_SECONDS), None, None)
        except PermanentError as problem:
            if problem.status == 404:
                return None
            raise
        release = self._release(answer)
        if version_of(release) != version:
            raise self._odd(answer)
        return Sent("existed", answer.status, self.release_url(version), release)

    def correct_release(
        self, version: str, fields: Mapping[str, Any], *, delivery_id: str | None, deadline: Deadline
    ) -> Mapping[str, Any]:
        """PUT the fields that a POST leaves as they are; returns the release. Raises TransientError, PermanentError."""
        answer = self._call("PUT", f"releases/{quote(version, safe='')}/", deadline, delivery_id, fields)
        return self._release(answer)

    def keeps_any_commit(self, version: str) -> bool | None:
        """Whether the release lists a commit; None where the target does not say it as a releases endpoint does."""
        path = f"releases/{quote(version, safe='')}/commits/?per_page=1"
        try:
            return bool(self._json(self._call("GET", path, Deadline(_QUESTION_SECONDS), None, None), list))
        except PermanentError as problem:
            return False if problem.status in (404, 405, 501) else None
        except TransientError:
            return None

    def unknown_projects(self, projects: Sequence[str]) -> list[str]:
        """Those that the target does not have, as far as it says so: its refusal of a release need not name them.

        Asks what a token of the scope project:releases may read.
        """
        deadline, unknown = Deadline(_QUESTION_SECONDS), list[str]()
        for project in projects[:_MOST_PROJECTS]:
            path = f"/projects/{quote(self._target.org, safe='')}/{quote(project, safe='')}/releases/?per_page=1"
            try:
                self._call("GET", path, deadline, None, None)
            except PermanentError as problem:
                if problem.status == 404:
                    unknown.append(project)
            except TransientError:
                break
        return unknown

    def find_deploy(self, version: str, *, environment: str, finished_at: datetime, deadline: Deadline) -> bool:
        """Whether the deploy to this environment that we said to have finished then is on the release already.

        Another job's is another: two repositories may share a version, and each deploys it.
        """
        answer = self._call("GET", f"releases/{quote(version, safe='')}/deploys/", deadline, None, None, "deploy")
        deploys = self._json(answer, list)
        return any(
            isinstance(deploy, dict)
            and deploy.get("environment") == environment
            and is_same_moment(deploy.get("dateFinished"), finished_at)
            for deploy in deploys
        )

    def send_deploy(self, version: str, body: Mapping[str, Any], *, delivery_id: str | None, deadline: Deadline) -> None:
        """POST a deploy; repeats make a second one, so the caller must know that none was sent."""
        answer = self._call("POST", f"releases/{quote(version, safe='')}/deploys/", deadline, delivery_id, body, "deploy")
        self._json(answer, dict)

    def is_answering(self) -> bool:
        """Whether the target answers a cheap question as a releases endpoint does: one that is down does not."""
        try:
            self._json(self._call("GET", "releases/?per_page=1", Deadline(_QUESTION_SECONDS), None, None), list)
        except (TransientError, PermanentError):
            return False
        return True

    def list_repositories(self) -> list[KnownRepository]:
        """The organization's repositories at the target, a thousand at most. Raises TransientError, PermanentError."""
        entries = self._list("repos/?", _REPOSITORY_PAGES, Deadline(_LIST_SECONDS))
        return [
            KnownRepository(name, url if isinstance(url := entry.get("url"), str) else None, is_linked(entry))
            for entry in entries
            if isinstance(name := entry.get("name"), str)
        ]

    def list_versions(self, deadline: Deadline) -> set[str]:
        """Every release's version, archived ones too, up to 20,000. Raises TransientError, PermanentError."""
        entries = self._list("releases/?status=", _RELEASE_PAGES, deadline)
        return {version for entry in entries if (version := version_of(entry)) is not None}

    def _list(self, path: str, pages: int, deadline: Deadline) -> Iterator[dict[str, Any]]:
        """The objects of a list, page by page. Only the cursor is taken from the header: the address is always our own.

        Raises PermanentError where the list cannot be followed to its end: on the strength of a cut list nothing may be
        called missing.
        """
        cursor, seen = "", set[str]()
        for _ in range(pages):
            answer = self._call("GET", f"{path}&per_page=100{cursor}", deadline, None, None)
            yield from (entry for entry in self._json(answer, list) if isinstance(entry, dict))
            following = next_cursor(answer.headers.get("link", ""))
            if following is None:
                return
            if not following or following in seen:
                raise self._cut(path, "names no page that follows")
            seen.add(following)
            cursor = f"&cursor={quote(following, safe='')}"
        raise self._cut(path, f"has more than {pages} pages")

    def _cut(self, path: str, why: str) -> PermanentError:
        name = path.partition("/")[0]
        return PermanentError(f"the list of {name} of the target {self._target.name!r} {why}", reason=Reason.TARGET_REFUSED)

    def release_url(self, version: str) -> str:
        """Sentry's page of the release (the embedded endpoint serves the same path)."""
        return f"{self._target.url}/organizations/{self._target.org}/releases/{quote(version, safe='')}/"

    def _call(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        delivery_id: str | None,
        body: Mapping[str, Any] | None,
        kind: Call = "list",
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}"}
        if delivery_id is not None:
            headers["X-Request-Id"] = delivery_id
        if body is not None:
            headers["Content-Type"] = "application/json"
        within = "" if path.startswith("/") else f"/organizations/{quote(self._target.org, safe='')}/"
        url = f"{self._target.url}/api/0{within}{path}"
        sent = None if body is None else write_body(body)
        answer = self._exchange(method, url, headers, sent, deadline)
        if not 200 <= answer.status < 300:
            # A proxy may echo what it was sent: the token must not reach a job's error by that way.
            masked = redacted(answer, self._token, READ_OF_REFUSAL)
            raise refusal(masked, self._target, kind, datetime.now(UTC))
        return answer

    def _exchange(self, method: str, url: str, headers: dict[str, str], body: bytes | None, deadline: Deadline) -> Answer:
        """One call, written down whether it is answered or not."""
        at, began = datetime.now(UTC), time.monotonic()
        answer: Answer | None = None
        error: str | None = None
        try:
            answer = call(self._client, method, url, headers=headers, deadline=deadline, body=body)
        except TransientError as problem:
            error = str(problem)
            raise
        finally:
            if self._kept is not None:
                self._kept.add(
                    method=method,
                    url=url,
                    headers=headers,
                    body=body,
                    answer=answer,
                    error=error,
                    token=self._token,
                    at=at,
                    milliseconds=round((time.monotonic() - began) * 1000),
                )
        return answer

    def _release(self, answer: Answer) -> Mapping[str, Any]:
        """Warnings quote it, so the token is masked, however the other side echoes it."""
        release: Mapping[str, Any] = self._json(redacted(answer, self._token), dict)
        return release

    def _json(self, answer: Answer, wanted: type[Any]) -> Any:
        """A proxy's sign-in page is also a 200: success is believed only in JSON of the right kind."""
        try:
            value = json.loads(answer.body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, wanted):
            raise self._odd(answer)
        return value

    def _odd(self, answer: Answer) -> TransientError:
        what = f"the target {self._target.name!r} answered {answer.status}, but not as a releases endpoint does"
        return TransientError(
            what + page_title(redacted(answer, self._token, READ_OF_REFUSAL).body),
            reason=Reason.TARGET_REFUSED,
            status=answer.status,
        )


def next_cursor(link: str) -> str | None:
    """The cursor of a Link header's next page: opaque, as the header or the address in it gives it. None at the end of the
    list, empty where there is a next page without a cursor that could be sent."""
    for part in _LINK.finditer(link[:_LONGEST_LINK]):
        attributes = part[2].lower()
        if 'rel="next"' not in attributes or 'results="false"' in attributes:
            continue
        named = _CURSOR.search(part[2])
        found = named[1] if named else parse_qs(urlsplit(part[1]).query).get("cursor", [""])[0]
        return found if _SENDABLE.fullmatch(found) else ""
    return None


def write_body(body: Mapping[str, Any]) -> bytes:
    """The JSON that is sent: a release of ten thousand commits is megabytes of it."""
    return to_json(body)
