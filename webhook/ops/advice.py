"""What a person can do about each reason and warning code, the same sentence in pages, API and command line.

A code is not enough: a rate limit of the target is not the forge's. So each sentence belongs to a code and to the party that it
came from (`shared/domain/reasons.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.domain.job_warnings import WarningCode
from shared.domain.reasons import KNOWN, Party, Reason, party_of

_SENDER, _FORGE, _TARGET, _TAGSHIP = Party.SENDER, Party.FORGE, Party.TARGET, Party.TAGSHIP

ADVICE: Mapping[tuple[Reason, Party], str] = {
    (Reason.PING, _SENDER): "Nothing to do: the provider only tested the URL.",
    (Reason.EVENT_IGNORED, _SENDER): "Nothing to do: this kind of event never makes a release. You may unsubscribe from it.",
    (Reason.BRANCH_NOT_MATCHED, _TAGSHIP): "To release this branch, add it to a rule's refs and replay the delivery.",
    (Reason.NO_RULE, _TAGSHIP): "To release it, add a rule to tagship.toml and replay the delivery.",
    (Reason.NO_RULE, _TARGET): "Add the target to tagship.toml again and replay the job; or cancel it.",
    (
        Reason.REF_DELETED,
        _SENDER,
    ): "Nothing to do: deleting a tag or branch never deletes a release. Push the tag to release it.",
    (
        Reason.SIGNATURE_MISSING,
        _SENDER,
    ): "Set the webhook's secret at the provider to the one that is set here, then redeliver.",
    (Reason.SIGNATURE_WRONG, _SENDER): "Set the same secret here and at the provider, then redeliver there. "
    "If the detail names the timestamp, correct the clocks.",
    (Reason.SOURCE_MISMATCH, _TAGSHIP): "Add the repository to the [[sources]] entry of this secret, "
    "or use the secret of its own entry at the provider, then redeliver.",
    (Reason.PAYLOAD_REFUSED, _SENDER): "The sender is authentic but its request is not readable: "
    "check content type and events of the webhook at the provider, then redeliver.",
    (Reason.VERSION_REFUSED, _TAGSHIP): "No release may have this name: change the rule's release template "
    "and replay the delivery.",
    (Reason.VERSION_REFUSED, _TARGET): "The target rejects this name: change the rule's release template "
    "and replay the delivery.",
    (Reason.VERSION_TAKEN, _TAGSHIP): "Another tag or source made this release: change the release template, "
    "or delete that tag, then replay.",
    (Reason.REPOSITORY_UNKNOWN, _TARGET): "Add the repository at the target, "
    "or name it under [targets.NAME.repositories], then replay.",
    (Reason.REPOSITORY_UNKNOWN, _FORGE): "The provider does not show this repository: check its name, "
    "and that the provider's token may read it, then compare again.",
    (Reason.PROJECT_UNKNOWN, _TARGET): "Create the project at the target, or fix the rule's projects, then replay.",
    (Reason.TARGET_AUTH, _TARGET): "Set or renew the target's token (scope project:releases), resume the target; "
    "replay what failed.",
    (Reason.TARGET_PAUSED, _TARGET): "No action needed: Tagship probes the target automatically and then sends what waits.",
    (Reason.TARGET_PAUSED, _TAGSHIP): "An operator paused the target: resume it when it may receive releases again.",
    (
        Reason.TARGET_REFUSED,
        _TARGET,
    ): "The target permanently rejected the request: read its answer, fix the cause, then replay.",
    (Reason.RATE_LIMITED, _FORGE): "No action needed: resumes automatically when the provider's limit ends. "
    "A token for its API raises the limit.",
    (Reason.RATE_LIMITED, _TARGET): "No action needed: the target limits requests, Tagship retries when it asked to. "
    "If it happens often, lower the target's pace.",
    (Reason.FORGE_UNREACHABLE, _FORGE): "No action needed yet: Tagship retries the provider's API; "
    "the release goes out in any case.",
    (Reason.FORGE_BEHIND, _FORGE): "No action needed: the provider's API does not know the commit yet. "
    "Tagship retries for two minutes.",
    (
        Reason.FORGE_AUTH,
        _FORGE,
    ): "The provider's API rejects the token: renew it there or in its file, or set another and restart.",
    (Reason.FORGE_REFUSED, _FORGE): "The provider's API permanently rejected the request: read its answer, fix the cause, "
    "then replay.",
    (Reason.BROKER_DOWN, _TAGSHIP): "Start the broker; jobs wait in the database and start automatically.",
    (Reason.COMMITS_PARTIAL, _FORGE): "The release exists. Its list is completed when the provider's API answers; "
    "a token for it helps.",
    (Reason.MISSED_WEBHOOK, _SENDER): "No webhook announced this tag: create its release with reconcile, "
    "and check the webhook at the provider.",
    (Reason.MISSED_WEBHOOK, _TAGSHIP): "The stored payload is no longer usable: push or redeliver the tag at the provider.",
    (Reason.ATTEMPTS_EXHAUSTED, _TARGET): "Every attempt failed: read the last error, fix its cause, then replay.",
    (Reason.WORKER_STOPPING, _TAGSHIP): "No action needed: another worker takes the job immediately.",
    (Reason.DEPLOY_UNCLEAR, _TARGET): "No action needed: the release exists. Tagship sends its deploy again if it is missing.",
    (Reason.LOG_BEHIND, _TAGSHIP): "No action needed: resumes once every push of the repository has been read.",
    (Reason.PUSH_BEHIND, _SENDER): "No action needed: the push of the tag's branch has not arrived yet. "
    "Tagship waits up to 30 seconds.",
}
UNKNOWN = "Fix the cause that the error names, then replay."

WARNING_ADVICE: Mapping[str, str] = {
    WarningCode.NOT_FINALIZED: "The target set no release date, and a second request did not change it: set it at the target.",
    WarningCode.REF_DIFFERS: "The target keeps another ref than the one sent, so another client may have made this release.",
    WarningCode.PROJECT_DROPPED: "The release lacks a project: create it at the target, or fix the rule's projects.",
    WarningCode.COMMITS_NOT_KEPT: 'The target keeps no commits. Use set_commits = "skip" for it, or another target.',
    WarningCode.COMMITS_REPLACED: "Another client made this release, and its commits may be lost: let one client send commits.",
    WarningCode.RELEASE_ARCHIVED: "The release is archived at the target, so its lists hide it: restore it there.",
    WarningCode.DEPLOY_REFUSED: "The release exists without this deploy: let the token make deploys, or drop environment.",
    WarningCode.LATER_DEPLOY: "No action needed: this version was late. Lists by time show the later deploy as current.",
    WarningCode.EMAILS_LEFT_OUT: "The target refused addresses: their commits have no author there. Update the target.",
    WarningCode.REPOSITORY_UNLINKED: "Connect the repository to an integration at the target, so that it can resolve refs.",
    WarningCode.REFS_REFUSED: "The release lists no commits: add the repository at the target, then recollect the job.",
}


def advise(code: str | None, party: str | None = None) -> str | None:
    """What to do about a code, of this party where it is known. None for no code, or one that a newer version wrote."""
    if code not in KNOWN or code is None:
        return None
    return ADVICE.get((Reason(code), Party(party) if party in set(Party) else party_of(code) or Party.TAGSHIP))


def advise_job(status: str, reason: str | None, waiting: Mapping[str, Any] | None) -> str | None:
    """What to do about a job as it stands: about what it waits for, else about its reason. None where all is well."""
    if waiting is not None:
        return advise(waiting["code"], waiting.get("party"))
    found = advise(reason, party_of(reason, is_of_job=True)) if reason else None
    return found or (UNKNOWN if status == "failed" else None)
