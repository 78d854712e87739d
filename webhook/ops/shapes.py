"""The JSON that the API gives, as types: serializers are checked against them, /openapi.json is made of them.

`about` is the meaning that the document tells. Words that are enums in the code are taken from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads that of `typing` from Python 3.12 on

from shared.domain import filters
from shared.domain.job_states import JobState, Outcome, Trigger
from shared.domain.job_warnings import WarningCode
from shared.domain.provider_settings import PROVIDER_NAMES
from shared.domain.reasons import Party, Reason
from shared.domain.target_health import TargetState
from shared.targets import http_exchanges
from shared.targets.check_rows import CHECKS, STATES
from webhook.http.problem_codes import ProblemCode

Json = dict[str, Any]


def about(meaning: str) -> Any:
    return Field(description=meaning)


def one_of(words: Iterable[str]) -> Any:
    return Field(json_schema_extra={"enum": [str(word) for word in words]})


Count = Annotated[int, Field(ge=0)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Provider = Annotated[str, one_of(PROVIDER_NAMES)]
DeliveryId = Annotated[str, Field(min_length=1, max_length=200)]
ReasonCode = Annotated[str, one_of(Reason)]
Headers = dict[str, str]
OUTCOMES = ("released", "failed", "waiting", "running", "cancelled", "expired", "ignored", "refused")
MATCHES = ("job_id", "delivery_id", "version", "ref", "commit", "repository")
SetCommits = Annotated[str, one_of(("auto", "payload", "refs", "skip"))]


class Problem(TypedDict):
    type: Annotated[str, about("path of this server's page that explains the code")]
    title: Annotated[str, about("the status in words")]
    status: Annotated[int, about("the HTTP status")]
    detail: Annotated[str, about("one sentence; names the field at fault")]
    code: Annotated[str, one_of(ProblemCode), about("which kind of refusal it is, for programs")]


class Range(TypedDict):
    source: Literal["log", "api", "payload", "none"]
    base: str | None
    head: str
    commits: Count
    with_files: Annotated[Count, about("commits whose file list is known")]
    partial: Annotated[str | None, about("why not every commit is listed")]
    proven: Annotated[bool, about("whether the list is certain, with the forge's own tags")]
    # Not there in a range that was stored before they were.
    bases: NotRequired[Annotated[list[str], about("all commits that it counts from, the nearest first")]]
    base_tag: NotRequired[Annotated[str | None, about("the release on the nearest")]]
    how: NotRequired[Annotated[str | None, about("the rule that found it: docs/decisions/0008")]]
    tags: NotRequired[Annotated[Literal["announced", "forge"] | None, about("where the list of tags came from")]]
    recollected: NotRequired[Annotated[dict[str, Count], about("added and removed by the last recollect that changed it")]]


class Waiting(TypedDict):
    code: ReasonCode
    detail: str
    until: Time | None
    party: NotRequired[Annotated[str, one_of(Party), about("who the code comes from, where that is not plain")]]


class Warned(TypedDict):
    code: Annotated[str, one_of(WarningCode)]
    detail: str


class Job(TypedDict):
    id: Annotated[str, about("sorts by the time it was made")]
    delivery_id: Annotated[str | None, about("the provider's own id; null for a job of reconcile or backfill")]
    provider: Provider
    repository: str
    ref: str
    sha: Annotated[str, about("the commit that the ref points at")]
    target: str
    status: Annotated[str, one_of(JobState)]
    version: Annotated[str, about("of the release")]
    attempts: Annotated[Count, about("how many were begun")]
    next_attempt_at: Time | None
    created_at: Time
    updated_at: Time
    reason: Annotated[ReasonCode | None, about("why it stands as it does")]
    error: Annotated[str | None, about("the last error in one sentence; null once it succeeded")]
    waiting: Annotated[Waiting | None, about("what it waits for without spending an attempt")]
    outcome: Literal["created", "existed"] | None
    release_url: str | None
    range: Annotated[Range | None, about("the commits of its release")]
    warnings: Annotated[list[Warned], about("how the release at the target differs from what was asked, once it succeeded")]
    advice: Annotated[str | None, about("what to do about what it waits for, or about its reason; null where all is well")]


class Beginning(TypedDict):
    bytes: Count
    body: Annotated[str | None, about(f"the first {http_exchanges.LONGEST_BODY} bytes")]
    is_cut: bool


class SentRequest(Beginning):
    method: str
    url: str
    headers: Annotated[Headers, about("the token masked")]


class Response(Beginning):
    status: int
    headers: Annotated[Headers, about("those that tell something")]


class Exchange(TypedDict):
    at: Time
    milliseconds: Count
    request: SentRequest
    response: Annotated[Response | None, about("null where none came")]
    error: Annotated[str | None, about("why none came")]


class Attempt(TypedDict):
    number: Annotated[Count, about("of the job's attempts, from 1")]
    trigger: Annotated[str, one_of(Trigger)]
    started_at: Time
    finished_at: Time | None
    outcome: Annotated[Annotated[str, one_of(Outcome)] | None, about("null while it runs")]
    http_status: Annotated[int | None, about("of the last answer; null where there was none")]
    error: str | None
    exchanges: Annotated[list[Exchange], about("calls to the target; empty once expired, or when none was made")]
    exchanges_left_out: Annotated[Count, about("calls between the first and the last of these")]


class JobWithHistory(Job):
    history: Annotated[list[Attempt], about("in order")]


class NamedDelivery(TypedDict):
    id: Annotated[DeliveryId, about("the provider's own")]
    provider: Annotated[str, about("as in the address it was sent to")]
    repository: str | None
    event: str
    ref: str | None
    created_at: Time


class DeliveryOutcome(TypedDict):
    state: Annotated[str, one_of(OUTCOMES)]
    text: Annotated[str, about("in one line: `released v1.4.2`, `failed: project_unknown`, `waiting: target_paused`")]
    job: Annotated[str | None, about("id of the job that decides it: one that failed, else one that waits, else the last")]


class Delivery(NamedDelivery):
    status: Annotated[str, one_of(filters.DELIVERY_STATUSES)]
    reason: ReasonCode | None
    detail: str | None
    outcome: Annotated[DeliveryOutcome, about("what became of it: of its jobs, or why it has none")]
    advice: Annotated[str | None, about("what to do about its reason, or about the job that decides its outcome")]


class SearchHit(TypedDict):
    kind: Literal["job", "delivery", "repository"]
    matched: Annotated[str, one_of(MATCHES), about("what the words are of it")]
    exact: Annotated[bool, about("the whole of it; else they are its beginning")]
    job: Job | None
    delivery: Annotated[Delivery | None, about("one that has no jobs, or that was looked for by its id")]
    repository: Annotated[str | None, about("provider:full name")]


class Search(TypedDict):
    items: Annotated[list[SearchHit], about("exact ones first, then the newest first")]
    is_cut: Annotated[bool, about("more was found than is listed")]
    advice: Annotated[str | None, about("where to look next when nothing was found")]


class RuleTried(TypedDict):
    rule: str
    matched: bool
    compared: Annotated[str, about("the value that decided")]
    outcome: str


class Why(TypedDict):
    rules: list[RuleTried]
    decided: Annotated[str | None, about("the rule that decided")]


class WholeDelivery(Delivery):
    why: Why
    jobs: Annotated[list[str], about("ids")]
    headers: Annotated[Headers | None, about("secrets masked; null once expired")]
    payload: Annotated[Any, about("what was sent; null once expired")]


class Target(TypedDict):
    name: str
    url: Annotated[str | None, about("null when the target is not in the configuration any more")]
    org: str | None
    state: Annotated[str, one_of(TargetState)]
    reason: ReasonCode | None
    detail: str | None
    paused_until: Annotated[Time | None, about("null while paused: until someone resumes it")]
    waiting_jobs: Count
    advice: Annotated[str | None, about("what to do about the reason")]


class CheckRow(TypedDict):
    check: Annotated[str, one_of(CHECKS)]
    state: Annotated[str, one_of(STATES)]
    detail: str


class TargetCheck(TypedDict):
    target: str
    usable: Annotated[bool, about("no check has failed")]
    wrote: Annotated[bool, about("a test release was asked for")]
    checks: list[CheckRow]


class JobCounts(TypedDict, total=False):
    queued: Count
    running: Count
    retrying: Count
    succeeded: Count
    failed: Count
    cancelled: Count


class DeliveryCounts(TypedDict, total=False):
    accepted: Count
    ignored: Count
    refused: Count


class Replay(TypedDict):
    replay: Annotated[Count, about("its number")]
    verb: Literal["replay", "recollect"]
    state: Literal["running", "done", "cancelled"]
    by: Annotated[str, about("the role of who asked")]
    filter: Headers
    matched: Annotated[Count, about("jobs, when it began")]
    replayed: Annotated[Count, about("jobs queued so far")]
    jobs: Annotated[JobCounts, about("by state, without those that a later replay took")]
    started_at: Time
    ended_at: Time | None


class Stats(TypedDict):
    jobs: Annotated[JobCounts, about("by state")]
    deliveries: Annotated[DeliveryCounts, about("by status")]
    oldest_waiting_at: Annotated[Time | None, about("when the job that has waited longest was made")]


class Receipt(TypedDict):
    delivery_id: DeliveryId
    status: Literal["accepted", "duplicate", "ignored"]
    jobs: NotRequired[Annotated[list[str], about("ids; not there when ignored")]]
    replayed: NotRequired[
        Annotated[list[str], about("a duplicate's jobs that wait again: they had failed, or their list is partial")]
    ]
    reason: NotRequired[Annotated[ReasonCode, about("of an ignored delivery")]]
    detail: NotRequired[Annotated[str, about("of an ignored delivery")]]


class Readiness(TypedDict):
    status: Literal["ok", "degraded", "unavailable"]
    database: Annotated[str, about("ok, or the fault")]
    schema: Annotated[str, about("ok, or the fault")]
    broker: Annotated[str, about("ok, not configured, or down")]
    config: Annotated[Literal["ok", "invalid"], about("invalid: a changed rules file is refused, the former is in force")]
