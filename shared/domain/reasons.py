"""Every reason code: why a delivery made no job, why a job waits or has failed. The same word in API, pages, CLI and ledger."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Stable: programs outside match on these words. `webhook/ops/advice.py` says what a person can do about each."""

    PING = "ping"
    EVENT_IGNORED = "event_ignored"
    BRANCH_NOT_MATCHED = "branch_not_matched"
    NO_RULE = "no_rule"
    REF_DELETED = "ref_deleted"
    SIGNATURE_WRONG = "signature_wrong"
    PAYLOAD_REFUSED = "payload_refused"
    VERSION_REFUSED = "version_refused"
    VERSION_TAKEN = "version_taken"
    REPOSITORY_UNKNOWN = "repository_unknown"
    PROJECT_UNKNOWN = "project_unknown"
    TARGET_AUTH = "target_auth"
    TARGET_PAUSED = "target_paused"
    TARGET_REFUSED = "target_refused"
    RATE_LIMITED = "rate_limited"
    FORGE_UNREACHABLE = "forge_unreachable"
    FORGE_BEHIND = "forge_behind"
    FORGE_AUTH = "forge_auth"
    FORGE_REFUSED = "forge_refused"
    BROKER_DOWN = "broker_down"
    COMMITS_PARTIAL = "commits_partial"
    MISSED_WEBHOOK = "missed_webhook"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    WORKER_STOPPING = "worker_stopping"
    DEPLOY_UNCLEAR = "deploy_unclear"
    LOG_BEHIND = "log_behind"
    PUSH_BEHIND = "push_behind"
