"""The JSON that the API takes and gives, as named JSON Schemas. Words that are enums in the code are taken from there. Pure."""

from __future__ import annotations

from typing import Any

from shared.domain import filters
from shared.domain.job_states import JobState, Outcome, Trigger
from shared.domain.target_health import TargetState
from shared.targets import http_exchanges
from webhook.openapi.schema_helpers import (
    ANYTHING,
    COUNT,
    DELIVERY_ID,
    FLAG,
    PROVIDER,
    REASON,
    TEXT,
    TIME,
    counted,
    maybe,
    one_of,
    ref,
    several,
    shape,
    told,
)

Json = dict[str, Any]

_SET_COMMITS = one_of(("auto", "payload", "refs", "skip"))

_RANGE = shape(
    {
        "source": one_of(("log", "api", "payload", "none")),
        "base": maybe(TEXT),
        "head": TEXT,
        "commits": COUNT,
        "with_files": told(COUNT, "commits whose file list is known"),
        "partial": told(maybe(TEXT), "why not every commit is listed"),
        "proven": told(FLAG, "whether base..head is certain"),
    }
)
_JOB: Json = {
    "id": told(TEXT, "sorts by the time it was made"),
    "delivery_id": told(maybe(TEXT), "the provider's own id; null for a job of reconcile or backfill"),
    "provider": PROVIDER,
    "repository": TEXT,
    "ref": TEXT,
    "sha": told(TEXT, "the commit that the ref points at"),
    "target": TEXT,
    "status": one_of(JobState),
    "version": told(TEXT, "of the release"),
    "attempts": told(COUNT, "how many were begun"),
    "next_attempt_at": maybe(TIME),
    "created_at": TIME,
    "updated_at": TIME,
    "reason": told(maybe(REASON), "why it stands as it does"),
    "error": told(maybe(TEXT), "the last error in one sentence; null once it succeeded"),
    "waiting": told(
        maybe(shape({"code": REASON, "detail": TEXT, "until": maybe(TIME)})), "what it waits for without spending an attempt"
    ),
    "outcome": maybe(one_of(("created", "existed"))),
    "release_url": maybe(TEXT),
    "range": told(maybe(_RANGE), "the commits of its release"),
}
_DELIVERY: Json = {
    "id": told(DELIVERY_ID, "the provider's own"),
    "provider": told(TEXT, "as in the address it was sent to"),
    "repository": maybe(TEXT),
    "event": TEXT,
    "ref": maybe(TEXT),
    "status": one_of(filters.DELIVERY_STATUSES),
    "reason": maybe(REASON),
    "detail": maybe(TEXT),
    "created_at": TIME,
}
_HEADERS: Json = {"type": "object", "additionalProperties": TEXT}
_BEGINNING: Json = {
    "bytes": COUNT,
    "body": told(maybe(TEXT), f"the first {http_exchanges.LONGEST_BODY} bytes"),
    "is_cut": FLAG,
}
_EXCHANGE = shape(
    {
        "at": TIME,
        "milliseconds": COUNT,
        "request": shape({"method": TEXT, "url": TEXT, "headers": told(_HEADERS, "the token masked"), **_BEGINNING}),
        "response": told(
            maybe(shape({"status": {"type": "integer"}, "headers": told(_HEADERS, "those that tell something"), **_BEGINNING})),
            "null where none came",
        ),
        "error": told(maybe(TEXT), "why none came"),
    }
)
_VERDICT = shape(
    {
        "status": one_of(("accepted", "ignored")),
        "reason": maybe(REASON),
        "releases": several(
            shape(
                {
                    "target": TEXT,
                    "version": TEXT,
                    "projects": several(TEXT),
                    "set_commits": _SET_COMMITS,
                    "finalize": FLAG,
                    "environment": maybe(TEXT),
                }
            )
        ),
    }
)
_PLANNED_RELEASE = shape(
    {
        "target": TEXT,
        "url": TEXT,
        "org": TEXT,
        "rule": told(TEXT, "that wants it"),
        "version": TEXT,
        "set_commits": _SET_COMMITS,
        "environment": maybe(TEXT),
        "range": told(maybe(_RANGE), "as far as the payload tells it; log and forge may tell the worker more"),
        "body": told({"type": "object"}, "what is POSTed to URL/api/0/organizations/ORG/releases/"),
    }
)

COMPONENTS: Json = {
    "Problem": shape(
        {
            "type": told(TEXT, "always about:blank"),
            "title": told(TEXT, "the status in words"),
            "status": told({"type": "integer"}, "the HTTP status"),
            "detail": told(TEXT, "one sentence; names the field at fault"),
        }
    ),
    "Job": shape(_JOB),
    "Attempt": shape(
        {
            "number": told(COUNT, "of the job's attempts, from 1"),
            "trigger": one_of(Trigger),
            "started_at": TIME,
            "finished_at": maybe(TIME),
            "outcome": told(maybe(one_of(Outcome)), "null while it runs"),
            "http_status": told(maybe({"type": "integer"}), "of the last answer; null where there was none"),
            "error": maybe(TEXT),
            "exchanges": told(several(_EXCHANGE), "calls to the target; empty once expired, or when none was made"),
            "exchanges_left_out": told(COUNT, "calls between the first and the last of these"),
        }
    ),
    "JobWithHistory": shape({**_JOB, "history": told(several(ref("Attempt")), "in order")}),
    "Delivery": shape(_DELIVERY),
    "RuleTried": shape({"rule": TEXT, "matched": FLAG, "compared": told(TEXT, "the value that decided"), "outcome": TEXT}),
    "WholeDelivery": shape(
        {
            **_DELIVERY,
            "why": shape({"rules": several(ref("RuleTried")), "decided": told(maybe(TEXT), "the rule that decided")}),
            "jobs": told(several(TEXT), "ids"),
            "headers": told(maybe({"type": "object", "additionalProperties": TEXT}), "secrets masked; null once expired"),
            "payload": told(ANYTHING, "what was sent; null once expired"),
        }
    ),
    "Target": shape(
        {
            "name": TEXT,
            "url": told(maybe(TEXT), "null when the target is not in the configuration any more"),
            "org": maybe(TEXT),
            "state": one_of(TargetState),
            "reason": maybe(REASON),
            "detail": maybe(TEXT),
            "paused_until": told(maybe(TIME), "null while paused: until someone resumes it"),
            "waiting_jobs": COUNT,
        }
    ),
    "Replay": shape(
        {
            "replay": told(COUNT, "its number"),
            "state": one_of(("running", "done", "cancelled")),
            "by": told(TEXT, "the role of who asked"),
            "filter": {"type": "object", "additionalProperties": TEXT},
            "matched": told(COUNT, "jobs, when it began"),
            "replayed": told(COUNT, "jobs queued so far"),
            "jobs": told(counted(JobState), "by state, without those that a later replay took"),
            "started_at": TIME,
            "ended_at": maybe(TIME),
        }
    ),
    "Stats": shape(
        {
            "jobs": told(counted(JobState), "by state"),
            "deliveries": told(counted(filters.DELIVERY_STATUSES), "by status"),
            "oldest_waiting_at": told(maybe(TIME), "when the job that has waited longest was made"),
        }
    ),
    "JobFilter": {
        "type": "object",
        "properties": {
            "status": maybe(one_of((*filters.JOB_STATUSES, ""))),
            **{word: maybe(TEXT) for word in filters.JOB_WORDS if word != "status"},
        },
        "additionalProperties": False,
        "minProperties": 1,
        "description": "The words of the list of jobs; at least one of them, not empty.",
    },
    "Explanation": shape(
        {
            "status": one_of(("accepted", "ignored")),
            "reason": maybe(REASON),
            "detail": maybe(TEXT),
            "event": told(TEXT, "as the provider's header says it"),
            "repository": told(maybe(TEXT), "provider:full name"),
            "ref": maybe(TEXT),
            "why": told(several(ref("RuleTried")), "the rules in the order they were tried"),
            "releases": several(_PLANNED_RELEASE),
        }
    ),
    "WhatIf": shape(
        {
            "looked_at": COUNT,
            "expired": told(COUNT, "deliveries whose payload is gone"),
            "changed": COUNT,
            "is_cut": told(FLAG, "time ran out: older ones were not looked at"),
            "items": told(
                several(
                    shape(
                        {
                            **{
                                word: _DELIVERY[word] for word in ("id", "provider", "repository", "event", "ref", "created_at")
                            },
                            "before": told(_VERDICT, "what became of it"),
                            "after": told(_VERDICT, "what would"),
                        }
                    )
                ),
                "deliveries of another verdict, newest first",
            ),
        }
    ),
    "Receipt": shape(
        {
            "delivery_id": DELIVERY_ID,
            "status": one_of(("accepted", "duplicate", "ignored")),
            "jobs": told(several(TEXT), "ids; not there when ignored"),
            "replayed": told(several(TEXT), "a duplicate's jobs that had failed and wait again"),
            "reason": told(REASON, "of an ignored delivery"),
            "detail": told(TEXT, "of an ignored delivery"),
        },
        optional=("jobs", "replayed", "reason", "detail"),
    ),
    "Readiness": shape(
        {
            "status": one_of(("ok", "degraded", "unavailable")),
            "database": told(TEXT, "ok, or the fault"),
            "schema": told(TEXT, "ok, or the fault"),
            "broker": told(TEXT, "ok, not configured, or down"),
        }
    ),
}
