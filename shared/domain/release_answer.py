"""What a target's answer says of a release, held against what was asked: a status of 2xx alone proves nothing. Pure.

Fields: rows 1.4 and 1.9 of docs/releases-endpoint.md. A field that an answer does not have says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.job_warnings import JobWarning, WarningCode

Json = Mapping[str, Any]

_LONGEST_QUOTED = 80
_CLOCK = timedelta(seconds=1)  # a Date header has whole seconds


def correction(asked: Json, answer: Json) -> dict[str, Any]:
    """What to PUT: release date and ref that the release lacks. A POST changes neither on a release that is there."""
    return {
        field: asked[field]
        for field in ("dateReleased", "ref")
        if asked.get(field) and field in answer and answer[field] in (None, "")
    }


def differences(asked: Json, answer: Json) -> list[JobWarning]:
    """Everything but the commits."""
    found = []
    if "dateReleased" in correction(asked, answer):
        found.append(JobWarning(WarningCode.NOT_FINALIZED, "the target keeps no release date"))
    if "ref" in answer and answer["ref"] != asked["ref"]:
        kept = f"{_quoted(answer['ref'])} as ref" if answer["ref"] else "no ref"
        found.append(JobWarning(WarningCode.REF_DIFFERS, f"the target keeps {kept}, not {_quoted(asked['ref'])}"))
    if dropped := _dropped_projects(asked, answer):
        names = ", ".join(map(_quoted, dropped))
        found.append(JobWarning(WarningCode.PROJECT_DROPPED, f"the release at the target lacks the project {names}"))
    if answer.get("status") == "archived":
        found.append(JobWarning(WarningCode.RELEASE_ARCHIVED, "the release is archived at the target"))
    return found


def count_commits(answer: Json) -> int | None:
    """How many commits the release has; None where the answer does not say it."""
    count = answer.get("commitCount")
    return count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else None


def lacks_commits(sent: int, kept: int | None) -> JobWarning | None:
    """`kept`: of those that were sent, None where the target cannot say it but is known to keep none."""
    if not sent or (kept is not None and kept >= sent):
        return None
    what = f"{kept} of the {sent} commits sent" if kept else f"none of the {sent} commits sent"
    return JobWarning(WarningCode.COMMITS_NOT_KEPT, f"the target keeps {what}")


def holds(asked: Json, answer: Json) -> bool:
    """Whether the release is there with all that was asked, the commits aside. Archived or not is no part of the question."""
    return all(warning.code is WarningCode.RELEASE_ARCHIVED for warning in differences(asked, answer))


def holds_commits(asked: Json, answer: Json) -> bool:
    """Whether it has the commits: as many, and the one that the server sorts first. A tag that moved may change no number."""
    commits = asked.get("commits", ())
    if not commits:
        return True
    last = answer.get("lastCommit")
    first = sorted(commits, key=_time, reverse=True)[0]["id"]
    return count_commits(answer) == len(commits) and isinstance(last, Mapping) and last.get("id") == first


def is_older(answer: Json, answered_at: datetime, took: timedelta) -> bool:
    """Whether the release was there before our request. `answered_at`: by the target's own clock, where it gives one."""
    try:
        created = datetime.fromisoformat(str(answer.get("dateCreated")))
        created = created if created.tzinfo else created.replace(tzinfo=UTC)
        return created < answered_at - took - _CLOCK
    except (ValueError, OverflowError):
        return False


def has_other_projects(asked: Sequence[object], answer: Json) -> bool:
    """Whether the release is, or may be for all that the answer says, in more projects than these."""
    kept, wanted = _projects(answer), {str(project) for project in asked}
    return kept is None or not all(names & wanted for names in kept)


def _dropped_projects(asked: Json, answer: Json) -> list[str]:
    kept = _projects(answer)
    return (
        [] if kept is None else [project for project in asked["projects"] if not any(str(project) in names for names in kept)]
    )


def _projects(answer: Json) -> list[set[str]] | None:
    """What each project of the release is called; None where the answer does not say it."""
    projects = answer.get("projects")
    if not isinstance(projects, list):
        return None
    return [{str(one.get("slug")), str(one.get("id"))} if isinstance(one, Mapping) else {str(one)} for one in projects]


def _time(commit: Json) -> float:
    return datetime.fromisoformat(commit["timestamp"]).timestamp() if "timestamp" in commit else 0.0


def _quoted(value: object) -> str:
    return repr(str(value)[:_LONGEST_QUOTED])
