"""Signed webhooks, sent through Flask's client."""

from __future__ import annotations

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from webhook.local.sample_webhooks import Sample, SampleCommit, github_push, sha, sign_github

GITHUB, GITLAB = "first-secret", "gitlab-token"


COMMITS = [SampleCommit("one"), SampleCommit("two")]


def send(client: FlaskClient, sample: Sample, **headers: str) -> TestResponse:
    return client.post(f"/webhooks/{sample.provider}", data=sample.body, headers={**sample.headers, **headers})


def tag(name: str = "v1.0.0", delivery_id: str | None = None, secret: str = GITHUB) -> Sample:
    payload = github_push(repository="acme/shop", ref=f"refs/tags/{name}", head=COMMITS[1], after=sha(f"object {name}"))
    return sign_github(payload, secret, delivery_id=delivery_id)
