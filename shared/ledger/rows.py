"""The rows that pages, API and command line read, as types: a test holds each to the columns of its table.

They are SQLAlchemy's own rows, which a protocol describes without copying them: a list has hundreds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol


class Row(Protocol):
    _fields: tuple[str, ...]

    def __iter__(self) -> Iterator[Any]: ...


class ListedJob(Row, Protocol):
    """What lists show of a job."""

    id: str
    delivery_id: str | None
    provider: str
    repository: str
    ref: str
    sha: str
    target: str
    version: str
    status: str
    attempts: int
    next_attempt_at: datetime
    reason: str | None
    error: str | None
    outcome: str | None
    release_url: str | None
    range: dict[str, Any] | None
    waiting: dict[str, Any] | None
    warnings: list[dict[str, str]] | None
    created_at: datetime
    updated_at: datetime
    event_at: datetime | None
    deploy_at: datetime | None


class OutcomeRow(Row, Protocol):
    """What a list of deliveries says of their jobs."""

    id: str
    target: str
    version: str
    status: str
    attempts: int
    next_attempt_at: datetime
    reason: str | None
    error: str | None
    waiting: dict[str, Any] | None


class JobRow(ListedJob, Protocol):
    key: str
    delivery_seq: int | None
    spec: dict[str, Any]
    trigger: str
    attempts_allowed: int
    repository_id: int | None
    knock_at: datetime | None
    lease_until: datetime | None
    deploy: dict[str, Any] | None
    replay_seq: int | None
    before_status: str | None
    before_next_at: datetime | None
    before_waiting: dict[str, Any] | None
    before_updated_at: datetime | None


class AttemptRow(Row, Protocol):
    job_id: str
    number: int
    trigger: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    http_status: int | None
    error: str | None
    exchanges: dict[str, Any] | None


class ListedDelivery(Row, Protocol):
    """What lists show of a delivery."""

    seq: int
    delivery_id: str
    provider: str
    event: str
    repository: str | None
    ref: str | None
    status: str
    reason: str | None
    detail: str | None
    jobs: list[str]
    created_at: datetime


class DeliveryRow(ListedDelivery, Protocol):
    """With its payload; `headers` and `body` are None once they have expired."""

    dedupe_key: str | None
    repository_id: int | None
    body_digest: bytes | None
    why: list[dict[str, Any]] | None
    to_log: bool
    headers: dict[str, str] | None
    body: bytes | None


class AuditRow(Row, Protocol):
    seq: int
    at: datetime
    door: str
    role: str
    address: str | None
    action: str
    subject: str | None
    detail: dict[str, Any] | None


class TallyRow(Row, Protocol):
    hour: datetime
    series: str
    label: str
    bucket: int
    number: int
    seconds: float


class RepositoryRow(Row, Protocol):
    key: str
    provider: str
    repository: str
    repository_id: int | None
    named_at: datetime | None
    former_names: list[list[str]] | None
    pushes: list[float]
    last_push_at: datetime | None
    last_release_at: datetime | None
    last_version: str | None
    silent_at: datetime | None


class ReconcileRow(Row, Protocol):
    key: str
    state: str
    trigger: str
    most_tags: int | None
    creates: bool
    is_by_timer: bool
    run: int
    tries: int
    next_at: datetime
    wanted_at: datetime
    ended_at: datetime | None
    compared_at: datetime | None
    tags: int | None
    missing: int | None
    to_create: int | None
    handled: int | None
    queued: int | None
    entries: list[dict[str, Any]] | None
    error: str | None
    with_deploys: bool | None
