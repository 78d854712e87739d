"""What lies on the disk and stands in the log: no secret of a header, no line that a sender wrote, owner-only files."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog

from shared.config.settings import from_env
from shared.forges.reading import read_stored_push
from shared.infra import logs
from shared.infra.database import make_engine
from shared.ledger.retention import Retention
from shared.ledger.tables import SCHEMA, payloads
from tests.migrated import migrate
from tests.security.door import OPERATOR, PLAIN, TOKEN, VIEWER, Door, gitlab_tag, source, tag
from webhook.intake.keyring import make_keyrings
from webhook.local.environment import with_secrets
from webhook.local.sample_webhooks import Sample

SECRET_HEADERS = [
    "x-gitlab-token",
    "x-hub-signature",
    "x-hub-signature-256",
    "webhook-signature",
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    "x-my-secret",
    "x-csrf-token",
    "x-auth-key",
    "x-functions-key",
    "x-goog-iap-jwt-assertion",
    "x-amzn-oidc-data",
    "x-forwarded-access-session",
]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def loose_umask() -> Iterator[None]:
    """A machine on which whatever is not said otherwise can be read by everyone."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_header_values_that_are_secrets_are_never_stored(door: Door) -> None:
    sent = {name.title(): f"hush-{name}" for name in SECRET_HEADERS if name not in ("x-gitlab-token", "webhook-signature")}
    assert door.send(gitlab_tag(), **sent, **{"X-Whatever-Says-It": "hush-too"}).status_code == 202
    stored = door.payloads[0].headers
    assert "hush-" not in json.dumps(stored)
    assert TOKEN not in json.dumps(stored)
    assert not set(stored) & set(SECRET_HEADERS)
    assert stored["x-gitlab-event"] == "Tag Push Hook", "what is no secret can be read"


@pytest.mark.parametrize("make", [tag, gitlab_tag])
def test_what_is_accepted_can_be_read_again_whatever_other_headers_come_with_it(door: Door, make: Callable[[], Sample]) -> None:
    sample = make()
    odd = {f"X-Odd-{n}": "v" * 5_000 for n in range(200)}
    named = {"X-GitHub-Hook-ID": "7", "X-Gitlab-Webhook-UUID": "u", "User-Agent": "a" * 5_000}
    answer = door.post(f"/webhooks/{sample.provider}", sample.body, {**odd, **named, **sample.headers})
    assert answer.status_code == 202
    (row,) = door.payloads
    push = read_stored_push(sample.provider, row.headers, row.body)
    assert push is not None
    assert push.ref.name == "v1.0.0"
    assert {"x-github-hook-id", "x-gitlab-webhook-uuid"} & set(row.headers)
    assert len(row.headers) < 10
    assert max(map(len, row.headers.values())) <= 1_000


def test_a_refused_delivery_leaves_no_body_and_no_header_behind(door: Door, tmp_path: Path) -> None:
    forged = {"X-Hub-Signature-256": "sha256=" + "ab" * 32, "X-GitHub-Event": "push\x1b[31m"}
    door.send(tag(delivery_id="forged"), **forged)
    with door.engine.connect() as connection:
        dump = "\n".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert "forged" in dump
    for part in ("ab" * 32, "\x1b", "Fix the till", PLAIN):
        assert part not in dump


@pytest.mark.usefixtures("loose_umask")
def test_the_sqlite_file_and_its_companions_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.sqlite3"
    engine = make_engine(f"sqlite:///{path}")
    migrate(engine, SCHEMA)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (a)"))
        found = sorted(path.parent.iterdir())
        assert [file.name for file in found] == ["ledger.sqlite3", "ledger.sqlite3-shm", "ledger.sqlite3-wal"]
        assert [mode(file) for file in found] == [0o600] * 3
    assert mode(path.parent) == 0o700
    engine.dispose()


@pytest.mark.usefixtures("loose_umask")
@pytest.mark.parametrize("before", [None, 0o644])
def test_generated_secrets_are_readable_by_their_owner_alone(tmp_path: Path, before: int | None) -> None:
    path = tmp_path / "var" / "secrets.env"
    if before is not None:
        path.parent.mkdir()
        path.write_text("GITHUB_WEBHOOK_SECRET=kept\n")
        path.chmod(before)
    made = with_secrets({}, path.parent)
    assert mode(path) == 0o600
    assert {"OPS_TOKEN", "GITHUB_WEBHOOK_SECRET", "GITLAB_WEBHOOK_SECRET", "SENTRY_AUTH_TOKEN"} <= set(made)
    assert all(len(value) == 48 for name, value in made.items() if value != "kept")


def test_payloads_expire(door: Door) -> None:
    door.send(tag())
    now = datetime.now(UTC)
    with door.engine.begin() as connection:
        connection.execute(sa.text("UPDATE jobs SET status = 'succeeded'"))
        connection.execute(sa.text("UPDATE deliveries SET to_log = 0"))
    assert len(door.rows(payloads)) == 1
    keeper = Retention(door.engine)
    keeper.step(now + timedelta(days=29))
    assert len(door.rows(payloads)) == 1
    keeper = Retention(door.engine)
    keeper.step(now + timedelta(days=31))
    assert door.rows(payloads) == []


def test_no_repr_shows_a_secret(open_door: Callable[..., Door]) -> None:
    made = open_door(sources=(source("SHOP_SECRET", "acme/*"),)).app.extensions["services"]
    ring = make_keyrings(made.settings, made.rules.sources)["github"]
    shown = f"{made!r} {made.settings!r} {ring!r} {ring._bound!r} {made.rules!r}"
    for secret in (PLAIN, TOKEN, OPERATOR, VIEWER, "shop-secret"):
        assert secret not in shown


def test_every_secret_of_the_process_is_hidden_from_its_log(open_door: Callable[..., Door]) -> None:
    made = open_door(sources=(source("SHOP_SECRET", "acme/*"),)).app.extensions["services"]
    found = made.settings.every_secret(made.rules.secret_names)
    assert {PLAIN, TOKEN, OPERATOR, VIEWER, "shop-secret", "shop-secret-old", "made-up"} <= found
    urls = from_env({"DATABASE_URL": "postgresql://u:p%40ss-word@h/db", "BROKER_URL": "redis://:hush-broker@h"})
    assert {"p@ss-word", "hush-broker"} <= urls.every_secret()


def test_log_lines_cannot_be_forged_by_names_a_sender_chose(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    logs.setup("console", "INFO")
    try:
        odd = "x\nINFO job.succeeded forged=1\r\x1b[2J\u2028"
        door.send(tag(), **{"X-GitHub-Event": "push"})
        logger = logs.get("shared.test")
        logger.warning("delivery.refused", delivery=odd, detail=odd)
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    written = [line for line in capsys.readouterr().err.split("\n") if line]
    assert any("delivery.refused" in line for line in written)
    assert not any(line.startswith("INFO") or "\x1b" in line or "\r" in line or "\u2028" in line for line in written)
