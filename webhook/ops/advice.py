"""Every reason code, the same word in pages, API, command line and ledger, and what a person can do about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

# What a person can do, by reason code (contract section 4).
ADVICE: Mapping[str, str] = {
    "ping": "Nothing: the provider only tried the address out.",
    "event_ignored": "Nothing: this kind of event never makes a release. Leave it out at the provider if you like.",
    "branch_not_matched": "If this branch should make releases, add it to a rule's refs in tagship.toml, restart, then replay.",
    "no_rule": "If it should make a release, add a rule to tagship.toml, restart, and replay the delivery.",
    "ref_deleted": "Nothing: a release is never deleted for a deleted tag or branch.",
    "signature_wrong": "Set the same secret here and at the provider, then redeliver there.",
    "payload_refused": "The sender is authentic, its request is not readable: check content type and events at the provider.",
    "version_refused": "Sentry refuses this name: change the rule's release template, restart, then replay the delivery.",
    "repository_unknown": "Add the repository at the target, or name it under [targets.NAME.repositories], then replay.",
    "project_unknown": "Create the project at the target or mend the rule's projects, then replay.",
    "target_auth": "The target refused the token: renew it (scope project:releases), restart, resume the target, then replay.",
    "target_paused": "The target is paused: it is tried again by itself, or when someone resumes it.",
    "target_refused": "The target refused the request for good: read its answer above, mend the cause, then replay.",
    "rate_limited": "Nothing: it goes on by itself when the limit ends. More calls need a token for the provider's API.",
    "forge_unreachable": "Nothing yet: the provider's API is asked again by itself, and the release goes out in any case.",
    "forge_behind": "Nothing: the provider's API does not know the commit yet. It is asked again for two minutes.",
    "forge_auth": "The provider's API refused the token: renew GITHUB_TOKEN or GITLAB_TOKEN, restart, then replay.",
    "forge_refused": "The provider's API refused the question for good: read its answer, mend the cause, then replay.",
    "broker_down": "Start the broker again; jobs wait in the database and start by themselves.",
    "commits_partial": "The release is there. Its list is completed when the provider's API answers; give it a token to help.",
    "missed_webhook": "The stored payload cannot be used any more: push or redeliver the tag again at the provider.",
    "attempts_exhausted": "Every attempt failed. Read the last error, mend its cause, then replay.",
    "worker_stopping": "Nothing: another worker goes on with it at once.",
    "deploy_unclear": "Nothing: the release is there. Its deploy is looked for, and sent again if it does not turn up.",
    "log_behind": "Nothing: it goes on once every push of the repository has been read.",
}
