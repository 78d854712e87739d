"""The JSON of what would happen, as types, like those of `shapes.py`: explain and what-if."""

from __future__ import annotations

from typing import Annotated, Literal

from typing_extensions import TypedDict  # pydantic reads that of `typing` from Python 3.12 on

from webhook.ops.shapes import Count, Json, NamedDelivery, Range, ReasonCode, RuleTried, SetCommits, about


class PlannedRelease(TypedDict):
    target: str
    url: str
    org: str
    rule: Annotated[str, about("that wants it")]
    version: str
    set_commits: SetCommits
    environment: str | None
    range: Annotated[Range | None, about("as far as the payload tells it; log and forge may tell the worker more")]
    body: Annotated[Json, about("what is POSTed to URL/api/0/organizations/ORG/releases/")]


class Explanation(TypedDict):
    status: Literal["accepted", "ignored"]
    reason: ReasonCode | None
    detail: str | None
    event: Annotated[str, about("as the provider's header says it")]
    repository: Annotated[str | None, about("provider:full name")]
    ref: str | None
    why: Annotated[list[RuleTried], about("the rules in the order they were tried")]
    releases: list[PlannedRelease]


class WantedRelease(TypedDict):
    target: str
    version: str
    projects: list[str]
    set_commits: SetCommits
    finalize: bool
    environment: str | None


class Verdict(TypedDict):
    status: Literal["accepted", "ignored"]
    reason: ReasonCode | None
    releases: list[WantedRelease]


class ChangedDelivery(NamedDelivery):
    before: Annotated[Verdict, about("what became of it")]
    after: Annotated[Verdict, about("what would")]


class WhatIf(TypedDict):
    looked_at: Count
    expired: Annotated[Count, about("deliveries whose payload is gone")]
    changed: Count
    is_cut: Annotated[bool, about("time ran out: older ones were not looked at")]
    items: Annotated[list[ChangedDelivery], about("deliveries of another verdict, newest first")]
