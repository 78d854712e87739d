"""Pushes and tags of the fake forge as webhooks."""

from __future__ import annotations

from tests.forge import Built
from webhook.local.sample_webhooks import Sample, SampleCommit, github_push, gitlab_push, sign_github, sign_gitlab


def tag(provider: str, name: str, sha: str) -> Sample:
    head = SampleCommit("the tagged one", id=sha)
    if provider == "github":
        return sign_github(github_push(repository="acme/shop", ref=f"refs/tags/{name}", head=head), "x")
    return sign_gitlab(gitlab_push(repository="acme/shop", ref=f"refs/tags/{name}", commits=[head]), "x")


def push(provider: str, built: Built, before: str, *labels: str) -> Sample:
    commits = [SampleCommit(label, id=built.sha[label]) for label in labels]
    if provider == "github":
        return sign_github(
            github_push(repository="acme/shop", ref="refs/heads/main", commits=commits, before=built.sha[before]), "x"
        )
    return sign_gitlab(
        gitlab_push(repository="acme/shop", ref="refs/heads/main", commits=commits, before=built.sha[before]), "x"
    )
