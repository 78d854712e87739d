"""The JSON of releases, repositories, rules and the audit log, as types (see `webhook/ops/shapes.py`)."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, get_args

from typing_extensions import TypedDict  # pydantic reads that of `typing` from Python 3.12 on

from shared.domain.job_states import Trigger
from shared.ledger.audit import Door
from webhook.ops.shapes import Count, Json, Provider, Range, SetCommits, Time, Warned, about, one_of


class Release(TypedDict):
    version: str
    target: str
    provider: Provider
    repository: str
    ref: str
    sha: str
    url: Annotated[str | None, about("of its page at the target")]
    released_at: Time
    range: Range | None
    warnings: list[Warned]
    job: Annotated[str, about("id of the job that made it")]


class KnownRepository(TypedDict):
    provider: Provider
    repository: str
    former_names: list[str]
    last_push_at: Time | None
    last_version: str | None
    last_release_at: Time | None
    usual_gap_seconds: Annotated[Count | None, about("between pushes; null while there are too few to tell")]
    is_silent: Annotated[bool, about("nothing for four times its usual gap, and for three days at least")]
    missing: Annotated[int | None, about("releases that the last comparison found missing; null if it was never compared")]


class ComparedTag(TypedDict):
    tag: str
    sha: NotRequired[str]
    target: NotRequired[str]
    version: NotRequired[str]
    why: NotRequired[Annotated[str | None, about("why its release is missing; null where it is there")]]
    reason: NotRequired[Annotated[str, about("why it makes no release")]]
    detail: NotRequired[str]


class Comparison(TypedDict):
    state: Literal["wanted", "running", "done", "failed"]
    trigger: Annotated[str, one_of(Trigger)]
    creates: Annotated[bool, about("whether what is missing is also made")]
    most_tags: Annotated[int | None, about("of the newest so many tags; null: of all")]
    wanted_at: Time
    compared_at: Time | None
    ended_at: Time | None
    tags: Annotated[Count | None, about("that the forge has")]
    missing: Count | None
    to_create: Count | None
    handled: Count | None
    queued: Count | None
    error: str | None
    entries: Annotated[list[ComparedTag], about("newest tags first")]


class RepositoryWithTags(KnownRepository):
    comparison: Annotated[Comparison | None, about("the last one, also one that is under way")]


class ListedRule(TypedDict):
    name: str
    repo: list[str]
    refs: list[str]
    release: Annotated[str | None, about("template of the version; null: the tag, or the commit of a branch")]
    targets: list[str]
    projects: list[str]
    set_commits: SetCommits
    finalize: bool
    environment: str | None
    goes_on: bool
    matched: Annotated[Count, about("deliveries so far, half a minute behind")]


class AuditEntry(TypedDict):
    number: Count
    at: Time
    interface: Annotated[str, one_of(get_args(Door))]
    role: str
    address: str | None
    action: str
    subject: str | None
    detail: Json | None
