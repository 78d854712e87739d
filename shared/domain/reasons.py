"""Every reason code: why a delivery made no job, why a job waits or has failed. The same word in API, pages, CLI and ledger."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    """Stable: programs outside match on these words. `webhook/ops/advice.py` says what a person can do about each."""

    PING = "ping"
    EVENT_IGNORED = "event_ignored"
    BRANCH_NOT_MATCHED = "branch_not_matched"
    NO_RULE = "no_rule"
    REF_DELETED = "ref_deleted"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_WRONG = "signature_wrong"
    SOURCE_MISMATCH = "source_mismatch"
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


class Party(StrEnum):
    """Who said no, or whose turn it is: the same code asks for something else depending on it."""

    SENDER = "sender"  # the provider, or whoever sent the webhook
    FORGE = "forge"  # the provider's API
    TARGET = "target"
    TAGSHIP = "tagship"  # our configuration, an operator, our own processes


# The parties that a code can come from. The first one is meant where nothing tells them apart.
PARTIES: Mapping[Reason, tuple[Party, ...]] = {
    Reason.PING: (Party.SENDER,),
    Reason.EVENT_IGNORED: (Party.SENDER,),
    Reason.BRANCH_NOT_MATCHED: (Party.TAGSHIP,),
    Reason.NO_RULE: (Party.TAGSHIP, Party.TARGET),
    Reason.REF_DELETED: (Party.SENDER,),
    Reason.SIGNATURE_MISSING: (Party.SENDER,),
    Reason.SIGNATURE_WRONG: (Party.SENDER,),
    Reason.SOURCE_MISMATCH: (Party.TAGSHIP,),
    Reason.PAYLOAD_REFUSED: (Party.SENDER,),
    Reason.VERSION_REFUSED: (Party.TAGSHIP, Party.TARGET),
    Reason.VERSION_TAKEN: (Party.TAGSHIP,),
    Reason.REPOSITORY_UNKNOWN: (Party.FORGE, Party.TARGET),
    Reason.PROJECT_UNKNOWN: (Party.TARGET,),
    Reason.TARGET_AUTH: (Party.TARGET,),
    Reason.TARGET_PAUSED: (Party.TARGET, Party.TAGSHIP),
    Reason.TARGET_REFUSED: (Party.TARGET,),
    Reason.RATE_LIMITED: (Party.FORGE, Party.TARGET),
    Reason.FORGE_UNREACHABLE: (Party.FORGE,),
    Reason.FORGE_BEHIND: (Party.FORGE,),
    Reason.FORGE_AUTH: (Party.FORGE,),
    Reason.FORGE_REFUSED: (Party.FORGE,),
    Reason.BROKER_DOWN: (Party.TAGSHIP,),
    Reason.COMMITS_PARTIAL: (Party.FORGE,),
    Reason.MISSED_WEBHOOK: (Party.SENDER, Party.TAGSHIP),
    Reason.ATTEMPTS_EXHAUSTED: (Party.TARGET,),
    Reason.WORKER_STOPPING: (Party.TAGSHIP,),
    Reason.DEPLOY_UNCLEAR: (Party.TARGET,),
    Reason.LOG_BEHIND: (Party.TAGSHIP,),
    Reason.PUSH_BEHIND: (Party.SENDER,),
}
# Of a job the target is meant where a code can come from it: what a forge says only lets a job wait.
_OF_JOBS = (Party.TARGET, Party.TAGSHIP)
KNOWN = frozenset(Reason)


def party_of(code: str, *, is_of_job: bool = False) -> Party | None:
    """Who is meant by a code of a delivery, of a job's wait or, with `is_of_job`, of a job itself; None for an unknown code."""
    parties = PARTIES[Reason(code)] if code in KNOWN else (None,)
    return next((party for party in _OF_JOBS if is_of_job and party in parties), parties[0])
