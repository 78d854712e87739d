"""Signed webhooks of a repository that no forge has."""

from __future__ import annotations

from webhook.local.sample_webhooks import Sample, SampleCommit, github_push, sha, sign_github


def tag(name: str, delivery_id: str | None = None) -> Sample:
    commit = SampleCommit(f"Work for {name}", added=["a.py"])
    payload = github_push(repository="acme/shop", ref=f"refs/tags/{name}", head=commit, after=sha(f"object {name}"))
    return sign_github(payload, "gh-secret", delivery_id=delivery_id)
