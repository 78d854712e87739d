"""The releases client: a plan goes out over HTTP, an outcome or a named error comes back. Decides nothing else.

Statuses: docs/releases-endpoint.md 1.4 and section 4.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic_core import to_json

from shared.domain.reasons import Reason
from shared.domain.rules import Target
from shared.errors import PermanentError, TransientError
from shared.infra.http_client import Answer, Deadline, call, retry_after
from shared.infra.redaction import mask
from shared.targets.http_exchanges import Exchanges
from shared.targets.repository_names import KnownRepository

_PASSING = {408, 409, 425, 429}
_LONGEST_EXCERPT = 300
_READ_OF_REFUSAL = 64 * 1024
_REPOSITORY_PAGES = 10
_RELEASE_PAGES = 200
_LIST_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Sent:
    """`outcome`: created (201) or existed (208, 200: nothing new but perhaps the commits)."""

    outcome: str
    http_status: int
    url: str


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
        answer = self._call("POST", "releases/", deadline, delivery_id, body)
        self._json(answer, dict)
        outcome = "created" if answer.status == 201 else "existed"
        return Sent(outcome, answer.status, self.release_url(body["version"]))

    def find_deploy(self, version: str, *, environment: str, finished_at: datetime, deadline: Deadline) -> bool:
        """Whether the deploy to this environment that we said to have finished then is on the release already.

        Another job's is another: two repositories may share a version, and each deploys it.
        """
        answer = self._call("GET", f"releases/{quote(version, safe='')}/deploys/", deadline, None, None)
        deploys = self._json(answer, list)
        return any(
            isinstance(deploy, dict)
            and deploy.get("environment") == environment
            and _is_same_moment(deploy.get("dateFinished"), finished_at)
            for deploy in deploys
        )

    def send_deploy(self, version: str, body: Mapping[str, Any], *, delivery_id: str | None, deadline: Deadline) -> None:
        """POST a deploy; repeats make a second one, so the caller must know that none was sent."""
        self._call("POST", f"releases/{quote(version, safe='')}/deploys/", deadline, delivery_id, body)

    def list_repositories(self) -> list[KnownRepository]:
        """The organization's repositories at the target, up to a thousand. Raises TransientError, PermanentError."""
        entries = self._list("repos/?", _REPOSITORY_PAGES, Deadline(_LIST_SECONDS))
        return [
            KnownRepository(name, url if isinstance(url := entry.get("url"), str) else None)
            for entry in entries
            if isinstance(name := entry.get("name"), str)
        ]

    def list_versions(self, deadline: Deadline) -> set[str]:
        """Every release's version, archived ones too, up to 20,000. Raises TransientError, PermanentError."""
        entries = self._list("releases/?status=", _RELEASE_PAGES, deadline)
        return {version for entry in entries if isinstance(version := entry.get("version"), str)}

    def _list(self, path: str, pages: int, deadline: Deadline) -> Iterator[dict[str, Any]]:
        """The objects of a list, page by page. Only the cursor is taken from the header: the address is always our own."""
        cursor = ""
        for _ in range(pages):
            answer = self._call("GET", f"{path}&per_page=100{cursor}", deadline, None, None)
            yield from (entry for entry in self._json(answer, list) if isinstance(entry, dict))
            following = re.search(r'rel="next";\s*results="true";\s*cursor="([0-9:.-]{1,100})"', answer.headers.get("link", ""))
            if following is None:
                return
            cursor = f"&cursor={following[1]}"

    def release_url(self, version: str) -> str:
        """Sentry's page of the release (the embedded endpoint serves the same path)."""
        return f"{self._target.url}/organizations/{self._target.org}/releases/{quote(version, safe='')}/"

    def _call(
        self, method: str, path: str, deadline: Deadline, delivery_id: str | None, body: Mapping[str, Any] | None
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}"}
        if delivery_id is not None:
            headers["X-Request-Id"] = delivery_id
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = f"{self._target.url}/api/0/organizations/{quote(self._target.org, safe='')}/{path}"
        sent = None if body is None else write_body(body)
        answer = self._exchange(method, url, headers, sent, deadline)
        if not 200 <= answer.status < 300:
            # A proxy may echo what it was sent: the token must not reach a job's error by that way.
            masked = Answer(answer.status, answer.headers, mask(answer.body[:_READ_OF_REFUSAL], self._token))
            raise refusal(masked, self._target, datetime.now(UTC))
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

    def _json(self, answer: Answer, wanted: type[Any]) -> Any:
        """A proxy's sign-in page is also a 200: success is believed only in JSON of the right kind."""
        try:
            value = json.loads(answer.body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, wanted):
            raise TransientError(
                f"the target {self._target.name!r} answered {answer.status}, but not as a releases endpoint does",
                reason=Reason.TARGET_REFUSED,
                status=answer.status,
            )
        return value


def _is_same_moment(value: object, sent: datetime) -> bool:
    """A server may keep fewer digits than it was sent: milliseconds, or whole seconds."""
    if not isinstance(value, str):
        return False
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return False
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    apart = abs(moment - sent)
    return apart < timedelta(milliseconds=1) or (moment.microsecond == 0 and apart < timedelta(seconds=1))


def write_body(body: Mapping[str, Any]) -> bytes:
    """The JSON that is sent: a release of ten thousand commits is megabytes of it."""
    return to_json(body)


def refusal(answer: Answer, target: Target, now: datetime) -> TransientError | PermanentError:
    """What an answer that is no success means: wait, or a person must act, and on what."""
    status, said = answer.status, _excerpt(answer.body)
    where = f"the target {target.name!r} answered {status}"
    if status >= 500 or status in _PASSING:
        reason = Reason.RATE_LIMITED if status == 429 else None
        return TransientError(f"{where}{said}", reason=reason, status=status, retry_after=retry_after(answer.headers, now))
    if status in (401, 403):
        what = f"check {target.token_env}" if status == 401 else f"{target.token_env} needs the scope project:releases"
        return PermanentError(f"{where}: {what}{said}", reason=Reason.TARGET_AUTH, status=status)
    if 300 <= status < 400:
        return PermanentError(
            f"{where}, a redirect, which is not followed: give the target's own URL",
            reason=Reason.TARGET_REFUSED,
            status=status,
        )
    if status == 404:
        return PermanentError(
            f"{where}: no organization {target.org!r} for this token at {target.url}",
            reason=Reason.TARGET_REFUSED,
            status=status,
        )
    return PermanentError(f"{where}{said}", reason=_reason(answer.body), status=status)


def _reason(body: bytes) -> str:
    """Which field the endpoint refused, as one of the stable codes."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return Reason.TARGET_REFUSED
    if isinstance(fields, dict):
        for field, reason in (
            ("projects", Reason.PROJECT_UNKNOWN),
            ("version", Reason.VERSION_REFUSED),
            ("refs", Reason.REPOSITORY_UNKNOWN),
        ):
            if field in fields:
                return reason
    return Reason.TARGET_REFUSED


def _excerpt(body: bytes) -> str:
    """The answer's text, short; an HTML page says nothing worth keeping. PostgreSQL stores no NUL."""
    text = " ".join(body[: 4 * _LONGEST_EXCERPT].decode("utf-8", "replace").replace("\x00", "\ufffd").split())
    if not text or text.startswith("<"):
        return ""
    return ": " + (text if len(text) <= _LONGEST_EXCERPT else text[:_LONGEST_EXCERPT] + "…")
