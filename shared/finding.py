"""Finds jobs and deliveries for people: lists by key, never by offset. Takes a connection, never commits."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.filters import DeliveryFilter, JobFilter, Page, is_storable, write_cursor
from shared.ids import first_id
from shared.models import attempts, deliveries, jobs, payloads

Rows = tuple[list[sa.Row[Any]], str | None]  # and the cursor of the next page


def job_conditions(wanted: JobFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [
        column == value
        for column, value in (
            (jobs.c.status, wanted.status),
            (jobs.c.repository, wanted.repository),
            (jobs.c.target, wanted.target),
            (jobs.c.reason, wanted.reason),
        )
        if value is not None
    ]
    if wanted.since is not None:  # ids sort by time, so this is a range of the key
        conditions += [jobs.c.id >= first_id(wanted.since), jobs.c.created_at >= wanted.since]
    return conditions


def list_jobs(connection: Connection, wanted: JobFilter, page: Page) -> Rows:
    """Newest first."""
    statement = sa.select(jobs).where(*job_conditions(wanted)).order_by(jobs.c.id.desc()).limit(page.limit + 1)
    if page.after is not None:
        statement = statement.where(jobs.c.id < page.after)
    rows = list(connection.execute(statement))
    return rows[: page.limit], write_cursor("job", rows[page.limit - 1].id) if len(rows) > page.limit else None


def find_jobs(connection: Connection, ids: list[str]) -> list[sa.Row[Any]]:
    return list(connection.execute(sa.select(jobs).where(jobs.c.id.in_(ids)).order_by(jobs.c.id)))


def find_job(connection: Connection, job_id: str) -> sa.Row[Any] | None:
    if not is_storable(job_id):
        return None
    return connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).one_or_none()


def find_attempts(connection: Connection, job_id: str) -> list[sa.Row[Any]]:
    return list(connection.execute(sa.select(attempts).where(attempts.c.job_id == job_id).order_by(attempts.c.number)))


def list_deliveries(connection: Connection, wanted: DeliveryFilter, page: Page) -> Rows:
    """Newest first."""
    conditions = [
        column == value
        for column, value in (
            (deliveries.c.provider, wanted.provider),
            (deliveries.c.repository, wanted.repository),
            (deliveries.c.status, wanted.status),
        )
        if value is not None
    ]
    if wanted.since is not None:
        conditions.append(deliveries.c.created_at >= wanted.since)
    if page.after is not None:
        conditions.append(deliveries.c.seq < int(page.after))
    statement = sa.select(deliveries).where(*conditions).order_by(deliveries.c.seq.desc()).limit(page.limit + 1)
    rows = list(connection.execute(statement))
    return rows[: page.limit], write_cursor("delivery", str(rows[page.limit - 1].seq)) if len(rows) > page.limit else None


def find_delivery(connection: Connection, delivery_id: str, provider: str | None = None) -> sa.Row[Any] | None:
    """By the provider's id, with the payload's columns. Where several carry it: a stored one before a refused one."""
    if not is_storable(delivery_id + (provider or "")):
        return None
    statement = (
        sa.select(deliveries, payloads.c.headers, payloads.c.body)
        .join_from(deliveries, payloads, payloads.c.delivery_seq == deliveries.c.seq, isouter=True)
        .where(deliveries.c.delivery_id == delivery_id)
        .order_by(deliveries.c.dedupe_key.is_(None), deliveries.c.seq.desc())
        .limit(1)
    )
    if provider is not None:
        statement = statement.where(deliveries.c.provider == provider)
    return connection.execute(statement).one_or_none()
