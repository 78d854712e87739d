"""Values for tests, with sensible defaults and keyword overrides. Builds only; asserts and starts nothing."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from shared.config.settings import Settings
from shared.domain.provider_settings import PROVIDER_NAMES
from shared.domain.push import Commit, FileChange, Push, Ref, Repository
from shared.domain.rules import Rule, Rules, Target
from shared.domain.webhook import Incoming
from shared.forges import PROVIDERS
from webhook.local.sample_webhooks import ZERO, sha

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECRETS = {name: f"{name}-secret" for name in PROVIDER_NAMES}
SIGNING_KEY = bytes(range(32))
SIGNING_TOKEN = "whsec_" + base64.b64encode(SIGNING_KEY).decode()
PAYLOADS = Path(__file__).parent / "payloads"


T = TypeVar("T")

# Profile -> by what the examples of every property are divided. `make test` is `dev`, `make test-world` also runs `all`.
PROFILES = {"dev": 20, "all": 1}
_DIVISOR = PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "dev")]


def examples(number: int, *suppressed: HealthCheck) -> hypothesis_settings:
    """Hypothesis as this suite uses it: the same examples in every run, no clock. `number`: as many as profile `all` tries."""
    return hypothesis_settings(
        max_examples=max(1, number // _DIVISOR),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=suppressed,
    )


def thinned(items: Iterable[T]) -> list[T]:
    """Of cases that are gone through one by one: all in profile `all`, every twentieth in `dev`."""
    return list(items)[::_DIVISOR]


# --- values ----------------------------------------------------------------------------------------------------------


def commit(message: str = "Count in cents", **fields: Any) -> Commit:
    return Commit(
        **{
            "id": sha(message),
            "message": message,
            "author_name": "Ada Okafor",
            "author_email": "ada@acme.test",
            "timestamp": NOW,
            "files": (FileChange("shop/basket.py", "M"),),
            **fields,
        }
    )


def push(
    ref: str = "refs/heads/main",
    *,
    provider: str = "github",
    repository: str = "acme/shop",
    default: str | None = "main",
    **fields: Any,
) -> Push:
    """A push of one commit onto a branch, or a new annotated tag on that commit."""
    head, is_tag = commit(), ref.startswith("refs/tags/")
    defaults: dict[str, Any] = {
        "before": ZERO if is_tag else sha("before"),
        "after": sha("tag object") if is_tag else head.id,
        "sha": head.id,
        "commits": () if is_tag else (head,),
        "commits_total": None if is_tag else 1,
        "head_commit": head,
        "is_forced": False,
    }
    return Push(repository=Repository(provider, repository, default), ref=Ref(ref), **defaults | fields)


def target(name: str = "main", **fields: Any) -> Target:
    return Target(**{"name": name, "url": "https://sentry.acme.test", "org": "acme", "token_env": "ACME_TOKEN", **fields})


def rule(name: str = "all", **fields: Any) -> Rule:
    return Rule(
        **{"name": name, "repos": ("*",), "refs": ("refs/*",), "targets": ("main",), "projects": ("shop",), **fields},
    )


def rules(*listed: Rule) -> Rules:
    names = {name for each in listed for name in each.targets}
    return Rules(rules=listed, targets={name: target(name) for name in sorted(names)})


def settings(**fields: Any) -> Settings:
    return Settings(**{"sentry_url": "http://127.0.0.1:8001", "sentry_auth_token": "made-up", **fields})


# --- requests --------------------------------------------------------------------------------------------------------


def incoming(provider: str = "github", payload: object = None, *, event: str | None = None, **headers: str | None) -> Incoming:
    """A request as the door hands it on, unsigned. `payload` may be bytes; a header given as None is left out."""
    body = payload if isinstance(payload, bytes) else json.dumps({} if payload is None else payload).encode()
    known = PROVIDERS[provider]
    defaults: dict[str, str | None] = {
        "content-type": "application/json",
        known.event_header: event or known.events.get("push", "push"),
        known.id_header: "7e3f2c10-0000-4000-8000-000000000001",
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Incoming({name: value for name, value in (defaults | named).items() if value is not None}, body)


def with_headers(request: Incoming, **headers: str) -> Incoming:
    return Incoming({**request.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}, request.body)


def on_the_wire(value: bytes) -> str:
    """A header's bytes as WSGI shows them to the app."""
    return value.decode("latin-1")


def signed_by_github(request: Incoming, secret: str = SECRETS["github"]) -> Incoming:
    digest = hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
    return with_headers(request, x_hub_signature_256=f"sha256={digest}")


def gitlab_signature(request: Incoming, *, key: bytes = SIGNING_KEY, message_id: str, timestamp: str) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + request.body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signed_by_gitlab(request: Incoming, *, key: bytes = SIGNING_KEY, at: datetime = NOW) -> Incoming:
    """Standard Webhooks: `whsec_` tokens sign id, time and body."""
    message_id, timestamp = "msg-1", str(int(at.timestamp()))
    signature = gitlab_signature(request, key=key, message_id=message_id, timestamp=timestamp)
    return with_headers(request, webhook_id=message_id, webhook_timestamp=timestamp, webhook_signature=signature)


def vouched_for_by_gitlab(request: Incoming, secret: str) -> Incoming:
    """Signed by a signing token; any other is shown as it is."""
    if secret == SIGNING_TOKEN:
        return signed_by_gitlab(request)
    return with_headers(request, x_gitlab_token=on_the_wire(secret.encode()))


@dataclass(frozen=True, slots=True)
class Sender:
    """How a provider's requests look. With an entry of SENDERS the contract tests run over a new provider."""

    signed_header: str  # the one that holds signature or token
    sign: Callable[[Incoming, str], Incoming]  # as the provider does with this secret
    signing_secret: str  # one with which it signs the body; the one of SECRETS may be a token that is only shown
    event_of: Callable[[str], str] = str  # the event header of the word that a payload's file name begins with


SENDERS = {
    "github": Sender("x-hub-signature-256", signed_by_github, SECRETS["github"]),
    "gitlab": Sender("x-gitlab-token", vouched_for_by_gitlab, SIGNING_TOKEN, lambda word: word.replace("_", " ").title()),
}


# --- payload files ---------------------------------------------------------------------------------------------------


def payload_files(provider: str) -> list[Path]:
    return sorted((PAYLOADS / provider).glob("*.json"))


def event_of(file: Path) -> str:
    """The event header that a payload's file name begins with: `tag_push_hook__moved.json` came as `Tag Push Hook`."""
    return SENDERS[file.parent.name].event_of(file.name.partition("__")[0])


def payload(provider: str, name: str, **changed: Any) -> dict[str, Any]:
    """A payload file's JSON, with top-level keys replaced."""
    found: dict[str, Any] = json.loads((PAYLOADS / provider / f"{name}.json").read_bytes())
    return {**found, **changed}


def without(value: Mapping[str, Any], *path: str | int) -> dict[str, Any]:
    """A copy that lacks what stands at `path`."""
    changed: Any = copy.deepcopy(dict(value))
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return dict(changed)


def replaced(value: Mapping[str, Any], new: object, *path: str | int) -> dict[str, Any]:
    """A copy with `new` at `path`."""
    changed: Any = copy.deepcopy(dict(value))
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = new
    return dict(changed)
