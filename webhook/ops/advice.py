"""What a person can do about each reason and warning code, the same sentence in pages, API and command line."""

from __future__ import annotations

from collections.abc import Mapping

from shared.domain.job_warnings import WarningCode
from shared.domain.reasons import Reason

ADVICE: Mapping[str, str] = {
    Reason.PING: "Nothing to do: the provider only tested the URL.",
    Reason.EVENT_IGNORED: "Nothing to do: this kind of event never makes a release. You may unsubscribe from it.",
    Reason.BRANCH_NOT_MATCHED: "To release this branch, add it to a rule's refs and replay the delivery.",
    Reason.NO_RULE: "Add a rule to tagship.toml, then replay the delivery. A job waits for its target: put it back, or cancel.",
    Reason.REF_DELETED: "Nothing to do: deleting a tag or branch never deletes a release.",
    Reason.SIGNATURE_WRONG: "Set the same secret here and at the provider, then redeliver there.",
    Reason.PAYLOAD_REFUSED: "The sender is authentic but its request is not readable: check content type and events there.",
    Reason.VERSION_REFUSED: "Sentry rejects this name: change the rule's release template and replay the delivery.",
    Reason.VERSION_TAKEN: "Another tag made this release: change the rule's release template, or delete that tag, then replay.",
    Reason.REPOSITORY_UNKNOWN: "Add the repository at the target, or name it under [targets.NAME.repositories], then replay.",
    Reason.PROJECT_UNKNOWN: "Create the project at the target, or fix the rule's projects, then replay.",
    Reason.TARGET_AUTH: "The target rejected the token: renew it (scope project:releases), restart, resume the target.",
    Reason.TARGET_PAUSED: "No action needed unless an operator paused the target: Tagship probes it automatically.",
    Reason.TARGET_REFUSED: "The target permanently rejected the request: read its answer above, fix the cause, then replay.",
    Reason.RATE_LIMITED: "No action needed: resumes automatically when the limit ends. A token raises the limit.",
    Reason.FORGE_UNREACHABLE: "No action needed yet: Tagship retries the provider's API; the release goes out in any case.",
    Reason.FORGE_BEHIND: "No action needed: the provider's API does not know the commit yet. Tagship retries for two minutes.",
    Reason.FORGE_AUTH: "The provider's API rejects the token: renew it there or in its file, or set another and restart.",
    Reason.FORGE_REFUSED: "The provider's API permanently rejected the request: read its answer, fix the cause, then replay.",
    Reason.BROKER_DOWN: "Start the broker; jobs wait in the database and start automatically.",
    Reason.COMMITS_PARTIAL: "The release exists. Its list is completed when the provider's API answers; a token for it helps.",
    Reason.MISSED_WEBHOOK: "The stored payload is no longer usable: push or redeliver the tag at the provider.",
    Reason.ATTEMPTS_EXHAUSTED: "Every attempt failed: read the last error, fix its cause, then replay.",
    Reason.WORKER_STOPPING: "No action needed: another worker takes the job immediately.",
    Reason.DEPLOY_UNCLEAR: "No action needed: the release exists. Tagship sends its deploy again if it is missing.",
    Reason.LOG_BEHIND: "No action needed: resumes once every push of the repository has been read.",
    Reason.PUSH_BEHIND: "No action needed: the push of the tag's branch has not arrived yet. Tagship waits up to 30 seconds.",
}

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
