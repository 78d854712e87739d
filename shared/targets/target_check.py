"""What a target can do, found out by asking it: one row for each thing that releases need. Reads only, unless it may write.

Every call is one that a token of the scope project:releases may make: nothing is reported as missing that releases do not need.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx2

from shared.domain.rules import Target
from shared.errors import TransientError
from shared.infra.http_client import Answer, Deadline, call, redacted
from shared.infra.redaction import mask_text
from shared.targets.answer_fields import version_of
from shared.targets.check_rows import (
    CHECKS,
    Row,
    State,
    count_deploys,
    is_usable,
    judge_count,
    judge_list,
    judge_projects,
    judge_scopes,
    judge_tls,
    objects,
    read_json,
)
from shared.targets.refusals import excerpt, refusal
from shared.targets.sentry_client import next_cursor, write_body

MARK = "tagship-check"  # the version of the test release, and its environment
_MOST_PROJECTS = 50
_READ_SECONDS = 15.0
_WRITE_SECONDS = 10.0
_DELETE_SECONDS = 5.0
_READ_OF_ANSWER = 256 * 1024
_NEWEST = 10  # releases looked at for commits and deploys


def check_target(
    client: httpx2.Client, target: Target, token: str | None, projects: Sequence[str], *, writes: bool
) -> list[Row]:
    """One row for each of CHECKS. `projects`: those that rules send to this target.

    `writes`: also make a release of the version MARK with a commit and a deploy, and delete it. A token that may not delete
    archives it: then it stays, one for all checks. Raises nothing: what goes wrong is a row.
    """
    if token is None:
        found = {"token": Row("token", "failed", f"{target.token_env} is not set in this process")}
    else:
        check = _Check(client, target, token, list(dict.fromkeys(projects))[:_MOST_PROJECTS])
        check.read()
        if writes and check.may_write():
            check.write()
        found = check.rows
    return [found.get(name, Row(name, "unknown", "not asked")) for name in CHECKS]


class _Check:
    def __init__(self, client: httpx2.Client, target: Target, token: str, projects: Sequence[str]) -> None:
        self._client = client
        self._target = target
        self._token = token
        self._projects = projects
        self._org = f"organizations/{quote(target.org, safe='')}/"
        self._repository: str | None = None  # one that the target knows
        self.rows: dict[str, Row] = {}

    def may_write(self) -> bool:
        return bool(self._projects) and "releases" in self.rows and is_usable(self.rows.values())

    def read(self) -> None:
        deadline = Deadline(_READ_SECONDS)
        steps: Sequence[Callable[[Deadline], bool]] = (self._index, self._releases, self._read_projects, self._repositories)
        for step in steps:
            if not step(deadline):
                return

    def _say(self, check: str, state: State, detail: str) -> bool:
        self.rows[check] = Row(check, state, mask_text(detail, self._token)[:500])
        return state != "failed"

    # --- reading -----------------------------------------------------------------------------------------------------

    def _index(self, deadline: Deadline) -> bool:
        try:
            answer = self._ask("GET", "", deadline)
        except TransientError as problem:
            is_of_tls = any(word in str(problem) for word in ("certificate", "TLS"))
            return self._say("tls" if is_of_tls else "address", "failed", str(problem))
        if 300 <= answer.status < 400 or answer.status >= 500 or not isinstance(read_json(answer), dict):
            detail = str(self._refusal(answer)) if answer.status >= 300 else f"{self._target.url} answers a page, not the API"
            return self._say("address", "failed", detail)
        self._say("address", "ok", f"{self._target.url} answers")
        self.rows["tls"] = judge_tls(self._target.url)
        self.rows["scopes"] = judge_scopes(read_json(answer))
        return True

    def _releases(self, deadline: Deadline) -> bool:
        try:
            answer = self._ask("GET", f"{self._org}releases/?per_page={_NEWEST}", deadline)
            entries = objects(read_json(answer))
            if not 200 <= answer.status < 300 or not isinstance(read_json(answer), list):
                return self._blame(answer)
            self._say("token", "ok", f"{self._target.token_env} is accepted")
            self._say("organization", "ok", f"{self._target.org!r} is there")
            cursor = next_cursor(answer.headers.get("link", ""))
            page = (
                self._ask("GET", f"{self._org}releases/?per_page={_NEWEST}&cursor={quote(cursor, safe='')}", deadline)
                if cursor
                else None
            )
        except TransientError as problem:
            return self._say("releases", "failed", str(problem))
        self.rows["releases"] = judge_list(entries, cursor, None if page is None else read_json(page))
        self.rows["commits"] = judge_count("commits", entries, lambda entry: entry.get("commitCount"))
        self.rows["deploys"] = judge_count("deploys", entries, count_deploys)
        return True

    def _blame(self, answer: Answer) -> bool:
        """Which row an answer to the list of releases belongs to."""
        problem = self._refusal(answer)
        if isinstance(problem, TransientError):
            return self._say("releases", "failed", str(problem))
        if answer.status == 404:
            return self._say("organization", "failed", str(problem))
        if answer.status in (401, 403):
            return self._say("scopes" if "scope" in str(problem) else "token", "failed", str(problem))
        return self._say("releases", "failed", str(problem))

    def _read_projects(self, deadline: Deadline) -> bool:
        if not self._projects:
            return self._say("projects", "warning", "no rule sends anything to this target")
        missing, unclear = [], []
        for slug in self._projects:
            path = f"projects/{quote(self._target.org, safe='')}/{quote(slug, safe='')}/"
            try:
                answer = self._ask("GET", f"{path}releases/?per_page=1", deadline)
                if answer.status == 404 and not isinstance(read_json(answer), dict):
                    answer = self._ask("GET", path, deadline)
            except TransientError as problem:
                return self._say("projects", "failed", str(problem))
            if answer.status in (401, 403, 404) and isinstance(read_json(answer), dict):
                missing.append(slug)
            elif not 200 <= answer.status < 300:
                unclear.append(slug)
        self.rows["projects"] = judge_projects(self._projects, missing, unclear)
        return not missing

    def _repositories(self, deadline: Deadline) -> bool:
        try:
            answer = self._ask("GET", f"{self._org}repos/?per_page=1", deadline)
        except TransientError as problem:
            return self._say("repositories", "warning", str(problem))
        names = [name for entry in objects(read_json(answer)) if isinstance(name := entry.get("name"), str)]
        if 200 <= answer.status < 300 and isinstance(read_json(answer), list):
            self._repository = names[0] if names else None
            return self._say("repositories", "ok", "can be listed" if names else "can be listed; there is none yet")
        why = f"cannot be listed ({answer.status}): their names are sent as the provider spells them"
        return self._say("repositories", "warning", why)

    # --- writing -----------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Make the test release, look what became of it, and take it away, however that went."""
        deadline = Deadline(_WRITE_SECONDS)
        release = f"{self._org}releases/{MARK}/"
        try:
            if not self._write_release(release, deadline):
                return
            self._write_deploy(release, deadline)
        except TransientError as problem:
            self._say("releases", "failed", str(problem))
        if (left := self._take_away(release)) is not None:
            before = self.rows["releases"]
            self._say("releases", "failed" if before.state == "failed" else "warning", f"{before.detail}; {left}")

    def _take_away(self, release: str) -> str | None:
        """What remains of the test release, if anything does."""
        deadline = Deadline(_DELETE_SECONDS)
        try:
            deleted = self._ask("DELETE", release, deadline)
            if deleted.status in (200, 202, 204, 404):
                return None
            archived = self._ask("PUT", release, deadline, {"status": "archived"})
            if 200 <= archived.status < 300:
                return f"this token may not delete releases ({deleted.status}), so {MARK!r} stays, archived"
            return f"delete the release {MARK!r} by hand: {self._refusal(deleted)}"
        except TransientError as problem:
            return f"delete the release {MARK!r} by hand: {problem}"

    def _write_release(self, release: str, deadline: Deadline) -> bool:
        body = {"version": MARK, "projects": [self._projects[0]], "commits": [_test_commit(self._repository)]}
        answer = self._ask("POST", f"{self._org}releases/", deadline, body)
        if not 200 <= answer.status < 300:
            self._say("scopes" if answer.status == 403 else "releases", "failed", str(self._refusal(answer)))
            return False
        self._say("scopes", "ok", "may create releases")
        again = self._ask("POST", f"{self._org}releases/", deadline, body)
        kept = read_json(self._ask("GET", release, deadline))
        if not isinstance(kept, dict) or version_of(kept) != MARK:
            self._say("releases", "failed", f"a release was answered {answer.status} and is not there")
            return True
        is_repeatable = 200 <= again.status < 300
        odd = f"; a second POST of a version is answered {again.status}, so an attempt after it looks first"
        self._say(
            "releases",
            "ok" if is_repeatable else "warning",
            f"kept: one was made and read again{'' if is_repeatable else odd}",
        )
        is_kept = kept.get("commitCount") or objects(read_json(self._ask("GET", f"{release}commits/", deadline)))
        self._say("commits", "ok" if is_kept else "warning", "kept" if is_kept else "accepted, and not kept by this server")
        return True

    def _write_deploy(self, release: str, deadline: Deadline) -> None:
        body = {"environment": MARK, "projects": [self._projects[0]]}
        answer = self._ask("POST", f"{release}deploys/", deadline, body)
        if not 200 <= answer.status < 300:
            self._say(
                "deploys",
                "warning",
                f"refused ({answer.status}{excerpt(answer.body)}): rules with an environment get a warning",
            )
            return
        is_kept = bool(objects(read_json(self._ask("GET", f"{release}deploys/", deadline))))
        self._say("deploys", "ok" if is_kept else "warning", "kept" if is_kept else "accepted, and not kept by this server")

    # --- calls -------------------------------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, deadline: Deadline, body: Mapping[str, Any] | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = f"{self._target.url}/api/0/{path}"
        sent = None if body is None else write_body(body)
        answer = call(self._client, method, url, headers=headers, deadline=deadline, body=sent)
        return redacted(answer, self._token, _READ_OF_ANSWER)

    def _refusal(self, answer: Answer) -> Exception:
        return refusal(answer, self._target, "list", datetime.now(UTC))


def _test_commit(repository: str | None) -> dict[str, Any]:
    """The same one each time, in a repository that is known already: so that nothing but the release has to be deleted."""
    named = {} if repository is None else {"repository": repository}
    return {
        "id": hashlib.sha1(MARK.encode(), usedforsecurity=False).hexdigest(),
        "message": "Test of tagship targets check",
        **named,
    }
