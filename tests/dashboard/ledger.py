"""A ledger with something of everything in it, written by the product's own verbs, and pages that a test can ask for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy.engine import Engine
from werkzeug.test import TestResponse

from shared.config.settings import ForgeSettings
from shared.domain import attempt_end
from shared.domain.job_warnings import JobWarning, WarningCode
from shared.domain.push import Push
from shared.domain.rules import Decision, Rule, Rules, Target, decide
from shared.domain.webhook import Incoming
from shared.forges import PROVIDERS
from shared.infra.http_client import Answer
from shared.ledger import claims, deliveries, job_transitions, refused_deliveries, target_states
from shared.ledger.tables import deliveries as delivery_table
from shared.ledger.tables import jobs as job_table
from shared.targets.http_exchanges import Exchanges
from tests.builders import settings
from webhook.local.sample_webhooks import SampleCommit, github_push, sha, sign_github

OPERATOR, VIEWER = "operate-0123456789", "look-at-0123456789"
TOKEN = "token-of-the-target"
HOSTILE = "<img/src=x/onerror=alert(1)>\"'&\u202eنسخة\u200b"  # a ref may hold all of it


def rules(url: str = "http://127.0.0.1:1") -> Rules:
    shared: dict[str, Any] = {"refs": ("refs/tags/*",), "targets": ("main",), "projects": ("app",)}
    listed = (Rule(name="never", repos=("gitlab:none/*",), **shared), Rule(name="tags", repos=("*",), **shared))
    return Rules(listed, {"main": Target(name="main", url=url, org="acme", token_env="T")})


def made_settings(engine: Engine, **fields: Any) -> Any:
    return settings(
        **{
            "database_url": engine.url.render_as_string(hide_password=False),
            "webhook_secrets": {"github": ("s",)},
            "ops_token": OPERATOR,
            "ops_read_token": VIEWER,
            "forges": {"github": ForgeSettings("http://127.0.0.1:1", None, is_named=False)},
            **fields,
        }
    )


def accept(
    engine: Engine,
    in_force: Rules,
    *,
    name: str = "v1.0.0",
    repository: str = "acme/shop",
    ref: str | None = None,
    message: str = "Fix the till",
    delivery_id: str | None = None,
    at: datetime | None = None,
) -> tuple[str, str | None]:
    """(delivery id, job id) of a push that is stored as the receiver stores it."""
    commit = SampleCommit(message, modified=["till.py"])
    payload = github_push(repository=repository, ref=ref or f"refs/tags/{name}", head=commit, after=sha(f"object {name}"))
    sample = sign_github(payload, "s", delivery_id=delivery_id)
    headers = {key.lower(): value for key, value in sample.headers.items()}
    hook, kept = PROVIDERS["github"].read(Incoming(headers, sample.body)), PROVIDERS["github"].headers_to_keep(headers)
    content = hook.content
    decision = (
        decide(content, in_force) if isinstance(content, Push) else Decision(reason=content.reason, detail=content.detail)
    )
    with engine.begin() as connection:
        receipt = deliveries.accept(
            connection,
            deliveries.Arrival(
                provider="github", hook=hook, decision=decision, headers=kept, body=sample.body, now=at or datetime.now(UTC)
            ),
        )
    return receipt.delivery_id, receipt.jobs[0] if receipt.jobs else None


def end(engine: Engine, job_id: str, how: str, *, at: datetime | None = None, error: str = "the project is unknown") -> None:
    """Run one attempt of a job in the ledger alone; the target says the error."""
    began = at or datetime.now(UTC)
    ended = began + timedelta(seconds=0.4)
    with engine.begin() as connection:
        claimed = claims.claim(connection, job_id, now=began)
        assert claimed is not None
        status = {"succeeded": 201, "failed": 400}.get(how, 503)
        packed = exchanged(claimed, status, error.removeprefix("400: projects: ") if how == "failed" else "", began)
        if how == "succeeded":
            found = {"source": "log", "base": "1" * 40, "head": "2" * 40, "commits": 3, "with_files": 3, "partial": None}
            how_ended = attempt_end.succeeded(
                outcome="created",
                http_status=201,
                release_url="http://127.0.0.1:1/releases/1/",
                found={**found, "proven": True},
                warnings=[JobWarning(WarningCode.REF_DIFFERS, f"the target says {error}")],
            )
        elif how == "completing":
            release = "http://127.0.0.1:1/releases/2/"
            assert job_transitions.note(
                connection, job_id, claimed.number, release_url=release, reason=attempt_end.PARTIAL, outcome="created"
            )
            waiting = {"code": attempt_end.PARTIAL, "detail": "the forge takes no more calls", "until": None}
            later = ended + timedelta(minutes=5)
            how_ended = attempt_end.snoozed(at=later, waiting=waiting)
        elif how == "failed":
            how_ended = attempt_end.failed(reason="project_unknown", error=error, http_status=400)
        else:
            how_ended = attempt_end.retried(
                at=ended + timedelta(minutes=5), reason=None, error="the target answered 503", http_status=503
            )
        job_transitions.end(connection, job_id, claimed.number, how_ended, now=ended, exchanges=packed)


def exchanged(job: claims.Claimed, status: int, said: str, at: datetime) -> Any:
    """One POST and its answer, as the worker keeps them."""
    kept = Exchanges()
    kept.add(
        method="POST",
        url="http://127.0.0.1:1/api/0/organizations/acme/releases/",
        headers={"Authorization": f"Bearer {TOKEN}", "X-Request-Id": job.delivery_id or "", "Content-Type": "application/json"},
        body=json.dumps({"version": job.version, "projects": ["app"], "ref": job.ref}).encode(),
        answer=Answer(status, {"content-type": "application/json"}, json.dumps({"projects": [said]} if said else {}).encode()),
        error=None,
        token=TOKEN,
        at=at,
        milliseconds=400,
    )
    return kept.as_json()


@dataclass(frozen=True, slots=True)
class Filled:
    """What `fill` made: an id of each kind."""

    succeeded: str
    failed: str
    retrying: str
    queued: str
    cancelled: str
    delivery: str
    ignored: str


def fill(engine: Engine, in_force: Rules, *, repository: str = "acme/shop", message: str = "Fix the till") -> Filled:
    """One job in each state, an ignored and a refused delivery, a paused target."""
    now = datetime.now(UTC)
    made: dict[str, str] = {}
    delivery = ""
    for number, state in enumerate(("succeeded", "failed", "retrying", "queued", "cancelled")):
        delivery_id, job_id = accept(
            engine,
            in_force,
            name=f"v1.{number}.0",
            repository=repository,
            message=message,
            delivery_id=f"d-{state}",
            at=now - timedelta(minutes=50 - number),
        )
        assert job_id is not None
        made[state] = job_id
        if state == "failed":
            delivery = delivery_id
        if state in ("succeeded", "failed", "retrying"):
            end(engine, job_id, state, at=now - timedelta(minutes=40 - number), error=f"no project for {message}"[:200])
    ignored, _ = accept(
        engine, in_force, ref="refs/heads/try-it", repository=repository, message=message, delivery_id="d-ignored"
    )
    with engine.begin() as connection:
        job_transitions.cancel(connection, made["cancelled"], now=now)
        target_states.pause(connection, "main", now=now)
        refused_deliveries.refuse(
            connection,
            provider="github",
            delivery_id="d-refused",
            event="push",
            reason="signature_wrong",
            detail="the signature is wrong",
            now=now,
        )
    return Filled(delivery=delivery, ignored=ignored, **made)


def make_hostile(engine: Engine) -> None:
    """Names that the door refuses today, as if an older one had let them in."""
    with engine.begin() as connection:
        for table in (delivery_table, job_table):
            connection.execute(table.update().where(table.c.repository.is_not(None)).values(repository=f"acme/{HOSTILE}"))


def make_long(engine: Engine, length: int) -> None:
    """Names, refs and errors as long as no column holds them, which SQLite takes all the same."""
    whole = "a" * length
    with engine.begin() as connection:
        named = delivery_table.c.repository.is_not(None)
        connection.execute(delivery_table.update().where(named).values(repository=f"a/{whole}", ref=f"refs/tags/{whole}"))
        connection.execute(
            job_table.update().values(repository=f"a/{whole}", ref=f"refs/tags/{whole}", error=whole, version=whole)
        )


def form_token(page: TestResponse) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', page.text)
    assert found is not None, page.text[:2000]
    return found[1]


def sign_in(client: FlaskClient, token: str = OPERATOR) -> TestResponse:
    return client.post("/sign-in", data={"token": token, "form_token": form_token(client.get("/sign-in"))})


def act(client: FlaskClient, address: str, **fields: str) -> TestResponse:
    """Send a form as a person does: with the token that the last page carried."""
    return client.post(address, data={"form_token": form_token(client.get("/targets")), **fields})


def addresses(filled: Filled) -> list[str]:
    """Every page that a signed-in person can open."""
    return [
        "/",
        "/deliveries",
        "/deliveries?status=ignored&since=2h",
        f"/deliveries/{filled.delivery}",
        f"/deliveries/{filled.ignored}",
        "/deliveries/d-refused",
        "/jobs",
        "/jobs?status=failed",
        *(f"/jobs/{job}" for job in (filled.succeeded, filled.failed, filled.retrying, filled.queued, filled.cancelled)),
        "/jobs/replay?status=failed",
        "/releases",
        "/repositories",
        "/repositories/github/acme/shop",
        "/targets",
        "/rules",
        "/rules/try",
        f"/rules/try?delivery={filled.delivery}",
        "/connect",
        "/audit",
    ]
