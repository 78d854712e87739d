"""What is sent: webhooks to both doors, calls to the ops API and to the embedded endpoint. Each by its number alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from tests.builders import PAYLOADS, event_of, payload_files
from tests.fuzz import mutations
from tests.fuzz.mutations import TEXTS
from tests.fuzz.servers import ENDPOINT, GITHUB, GITLAB, OPS, READ, RULES, SHOP, SIGNING

EVENTS = {
    "github": ("push", "ping", "create", "release", "star", "x" * 101, ""),
    "gitlab": ("Push Hook", "Tag Push Hook", "System Hook", "Note Hook", ""),
}
LARGEST_BODY = 1_000_000  # what happens beyond 25 MiB has tests of its own; so many of them would try the client only
FINDINGS = Path(__file__).parent / "findings"


@dataclass(frozen=True, slots=True)
class Sent:
    """One request. `port_of` is the server it goes to."""

    server: str
    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


def random_of(seed: int, kind: str, number: int) -> Random:
    """The same for the same three, whatever was sent before: so one finding can be made again by itself."""
    return Random(f"{seed}:{kind}:{number}")


def corpus() -> list[tuple[str, str, bytes]]:
    """(provider, event, body) of every sample payload."""
    return [
        (folder.name, event_of(file), file.read_bytes())
        for folder in sorted(PAYLOADS.iterdir())
        for file in payload_files(folder.name)
    ]


SAMPLES = corpus()


def webhook(seed: int, number: int) -> Sent:
    random = random_of(seed, "webhook", number)
    provider, event, body = random.choice(SAMPLES)
    body = _mutated(random, body)
    event = event if random.random() < 0.85 else random.choice(EVENTS[provider])
    headers = {"Content-Type": "application/json"}
    if provider == "github" and random.random() < 0.1:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode({"payload": body.decode("utf-8", "replace")}).encode()
        body = body if random.random() < 0.5 else mutations.mutate_bytes(random, body)
    delivery = f"fuzz-{seed}-{number}" if random.random() < 0.97 else random.choice(TEXTS)[:300]
    headers |= _github(random, event, delivery, body) if provider == "github" else _gitlab(random, event, delivery, body)
    if random.random() < 0.03:
        body = mutations.mutate_bytes(random, body)  # after it was signed
    headers["X-Forwarded-For"] = _address(random)
    path = (
        f"/webhooks/{provider}"
        if random.random() < 0.99
        else f"/webhooks/{quote(random.choice(TEXTS)[:300].encode('utf-8', 'surrogatepass'))}"
    )
    return Sent("webhook", "POST", path.encode(), mutations.mutate_headers(random, headers), body)


def _mutated(random: Random, body: bytes) -> bytes:
    return _changed(random, body)[:LARGEST_BODY]


def _changed(random: Random, body: bytes) -> bytes:
    kind = random.random()
    if kind < 0.7:
        return mutations.written(random, mutations.mutate_json(random, json.loads(body)))
    if kind < 0.9:
        return mutations.mutate_bytes(random, body)
    if kind < 0.95:
        return mutations.written(random, mutations.odd(random))
    return random.randbytes(random.choice((0, 1, 10, 1_000)))


def _github(random: Random, event: str, delivery: str, body: bytes) -> dict[str, str]:
    secret = random.choices((GITHUB, SHOP, "no secret"), (93, 4, 3))[0]
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-GitHub-Event": event, "X-GitHub-Delivery": _header(delivery), "X-Hub-Signature-256": signature}


def _gitlab(random: Random, event: str, delivery: str, body: bytes) -> dict[str, str]:
    found = {"X-Gitlab-Event": event, "Idempotency-Key": _header(delivery)}
    if random.random() < 0.5:
        return {**found, "X-Gitlab-Token": random.choices((GITLAB, SIGNING, "no token"), (95, 2, 3))[0]}
    moment = str(int(time.time()))
    key = base64.b64decode(SIGNING.removeprefix("whsec_"))
    digest = hmac.new(key, f"{_header(delivery)}.{moment}.".encode("latin-1", "replace") + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return {**found, "webhook-id": _header(delivery), "webhook-timestamp": moment, "webhook-signature": signature}


def _address(random: Random) -> str:
    """Many senders, so that the limit on refusals hides nothing; sometimes none at all."""
    if random.random() < 0.1:
        return _header(random.choice(TEXTS)[:500])
    return f"{random.randrange(1, 224)}.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"


def _header(text: str) -> str:
    return mutations.clean(text.encode("latin-1", "replace")).decode("latin-1")


WORDS = ("status", "repository", "target", "since", "limit", "cursor", "provider", "reason", "odd", "dry_run")
VALUES = ("failed", "accepted", "acme/shop", "main", "2h", "3d", "2026-01-01T00:00:00Z", "50", "0", "-1", "201", "9" * 30)
OPS_PATHS = (
    *(
        "/api/v1/deliveries",
        "/api/v1/jobs",
        "/api/v1/targets",
        "/api/v1/stats",
        "/openapi.json",
        "/metrics",
        "/readyz",
        "/",
        "/jobs",
    ),
    *(
        "/api/v1/deliveries/{}",
        "/api/v1/jobs/{}",
        "/api/v1/deliveries/{}/replay",
        "/api/v1/jobs/{}/replay",
        "/api/v1/jobs/{}/cancel",
    ),
    *(
        "/api/v1/jobs/replay",
        "/api/v1/explain",
        "/api/v1/what-if",
        "/reference",
        "/repositories/github/{}",
        "/api/v1/targets/{}/pause",
        "/api/v1/targets/{}/resume",
        "/api/v1/{}",
        "/{}",
        "/sign-in",
        "/webhooks/{}",
    ),
)
ENDPOINT_PATHS = (
    *("/api/0/organizations/local/releases/", "/api/0/organizations/local/releases/", "/api/0/organizations/local/releases/"),
    *(
        "/api/0/organizations/local/releases/{}/",
        "/api/0/organizations/local/releases/{}/deploys/",
        "/api/0/projects/local/app/releases/",
    ),
    *(
        "/api/0/organizations/local/releases/{}/commits/",
        "/api/0/organizations/{}/releases/",
        "/api/0/organizations/local/repos/",
        "/{}",
    ),
)
FIELDS = (
    "version",
    "projects",
    "ref",
    "url",
    "dateReleased",
    "commits",
    "refs",
    "environment",
    "name",
    "status",
    "owner",
    "dateFinished",
)
COMMIT = {"id": "a" * 40, "repository": "acme/shop", "message": "Fix", "author_name": "A", "author_email": "a@b.test"}
RELEASE = {
    "version": "1.0.0",
    "projects": ["app"],
    "ref": "v1.0.0",
    "dateReleased": "2026-01-01T00:00:00Z",
    "commits": [{**COMMIT, "timestamp": "2026-01-01T00:00:00Z", "patch_set": [{"path": "a.py", "type": "M"}]}, COMMIT],
    "refs": [{"repository": "acme/shop", "commit": "a" * 40, "previousCommit": "b" * 40}],
    "environment": "production",
}


def api_call(seed: int, number: int) -> Sent:
    """Even numbers go to the ops API, odd ones to the embedded endpoint."""
    random = random_of(seed, "api", number)
    is_ops = number % 2 == 0
    path = random.choice(OPS_PATHS if is_ops else ENDPOINT_PATHS)
    path = path.replace("{}", quote(_segment(random), safe=random.choice(("", "/", "/:@!"))))
    method = random.choices(("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD2", "OPTIONS"), (50, 40, 4, 2, 2, 1, 1))[0]
    query = urlencode([(random.choice(WORDS), _value(random)) for _ in range(random.choice((0, 0, 1, 1, 2, 5)))])
    token = random.choices((OPS if is_ops else ENDPOINT, READ, "guess", ""), (92, 4, 2, 2))[0]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "X-Forwarded-For": _address(random)}
    if random.random() < 0.2:
        headers["Idempotency-Key"] = random.choice(("again", f"key-{number}", _header(random.choice(TEXTS)[:300])))
    body = b"" if method == "GET" else _api_body(random, number, is_ops)[:LARGEST_BODY]
    target = (path + ("?" + query if query else "")).encode()
    if random.random() < 0.05:
        target = b"/" + bytes(byte for byte in mutations.mutate_bytes(random, target) if 0x21 <= byte < 0x7F)
    return Sent("webhook" if is_ops else "releases", method, target, mutations.mutate_headers(random, headers), body)


def _segment(random: Random) -> bytes:
    known = ("1.0.0", "fuzz-1-7", "main", "default", "0" * 32, "app", "local", f"fuzz-1-{random.randrange(2_000)}")
    return (random.choice(known) if random.random() < 0.5 else random.choice(TEXTS)[:3_000]).encode("utf-8", "surrogatepass")


def _value(random: Random) -> bytes:
    return (random.choice(VALUES) if random.random() < 0.6 else random.choice(TEXTS)[:3_000]).encode("utf-8", "surrogatepass")


def _api_body(random: Random, number: int, is_ops: bool) -> bytes:
    if is_ops:
        provider, event, payload = random.choice(SAMPLES)
        sound: Any = random.choice(
            (
                {"filter": {"status": "failed", "repository": "acme/shop"}, "dry_run": True},
                {
                    "provider": provider,
                    "event": event,
                    "payload": json.loads(payload),
                    "config": mutations.mutate_text(random, RULES),
                },
                {"config": mutations.mutate_text(random, RULES), "last": random.choice((1, 5, 50))},
            )
        )
    else:
        sound = {**RELEASE, "version": f"1.0.{number % 500}"}
        sound = {name: sound[name] for name in sound if random.random() < 0.8}
    kind = random.random()
    if kind < 0.4:
        return json.dumps(sound).encode()
    if kind < 0.8:
        return mutations.written(random, mutations.mutate_json(random, sound))
    if kind < 0.9:
        value = {random.choice(FIELDS): mutations.odd(random) for _ in range(random.randrange(4))}
        return mutations.written(random, value)
    return mutations.mutate_bytes(random, json.dumps(sound).encode())
