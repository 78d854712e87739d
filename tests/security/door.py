"""A receiver that a test sends to, and what it then wrote down."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import Engine
from werkzeug.test import TestResponse

from shared.config.settings import Settings
from shared.domain.rules import Rule, Rules, Source, Target
from shared.ledger.tables import deliveries, jobs, payloads
from tests import builders
from webhook.local.sample_webhooks import Sample, SampleCommit, github_push, gitlab_push, sha, sign_github, sign_gitlab

PLAIN, TOKEN = "plain-github-secret", "plain-gitlab-token"
OPERATOR, VIEWER = "operate-0123456789", "look-at-0123456789"


def rules(sources: object = ()) -> Rules:
    rule = Rule(name="tags", repos=("*",), refs=("refs/tags/*",), targets=("main",), projects=("app",))
    target = Target(name="main", url="http://127.0.0.1:1", org="acme", token_env="T")
    return Rules((rule,), {"main": target}, sources=tuple(sources))  # type: ignore[arg-type]


def made_settings(engine: Engine, **fields: Any) -> Settings:
    return builders.settings(
        **{
            "database_url": engine.url.render_as_string(hide_password=False),
            "webhook_secrets": {"github": (PLAIN,), "gitlab": (TOKEN,)},
            "ops_token": OPERATOR,
            "ops_read_token": VIEWER,
            "environ": {"SHOP_SECRET": "shop-secret,shop-secret-old", "TILL_SECRET": "till-secret", "LAB_SECRET": "lab-token"},
            **fields,
        }
    )


def source(env: str, *repositories: str, provider: str = "github") -> Source:
    return Source(name=env, provider=provider, secret_env=env, repositories=repositories)


@dataclass(frozen=True, slots=True)
class Door:
    app: Flask
    engine: Engine

    def send(self, sample: Sample, address: str = "127.0.0.1", **headers: str) -> TestResponse:
        return self.post(f"/webhooks/{sample.provider}", sample.body, {**sample.headers, **headers}, address)

    def post(self, path: str, body: bytes, headers: dict[str, str], address: str = "127.0.0.1") -> TestResponse:
        return self.app.test_client().post(path, data=body, headers=headers, environ_base={"REMOTE_ADDR": address})

    def rows(self, table: sa.Table) -> list[Any]:
        with self.engine.begin() as connection:
            return list(connection.execute(sa.select(table)))

    @property
    def refused(self) -> list[Any]:
        return [row for row in self.rows(deliveries) if row.status == "refused"]

    @property
    def jobs(self) -> list[Any]:
        return self.rows(jobs)

    @property
    def payloads(self) -> list[Any]:
        return self.rows(payloads)


def tag(name: str = "v1.0.0", *, repository: str = "acme/shop", secret: str = PLAIN, delivery_id: str | None = None) -> Sample:
    commit = SampleCommit("Fix the till", modified=["till.py"])
    payload = github_push(repository=repository, ref=f"refs/tags/{name}", head=commit, after=sha(f"object {name}"))
    return sign_github(payload, secret, delivery_id=delivery_id)


def gitlab_tag(name: str = "v1.0.0", *, repository: str = "acme/shop", secret: str = TOKEN) -> Sample:
    commit = SampleCommit("Fix the till", modified=["till.py"])
    payload = gitlab_push(repository=repository, ref=f"refs/tags/{name}", commits=[commit], after=sha(f"object {name}"))
    return sign_gitlab(payload, secret, event="Tag Push Hook")


def signed(body: bytes | object, secret: str = PLAIN, **headers: str) -> Sample:
    """Any body with a good signature of GitHub's."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Sample("github", {**tag().headers, "X-Hub-Signature-256": signature, **named}, raw)
