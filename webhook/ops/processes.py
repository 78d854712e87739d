"""Which rules file each running process has in force, and why it refuses a newer one."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from shared.domain.times import rfc3339
from shared.errors import SchemaError
from shared.infra.database import reading
from shared.ledger import processes
from shared.ledger.tables import SCHEMA
from webhook.ops.process_shapes import ConfigStatus, Process


def list_processes(connection: Connection, now: datetime) -> list[Process]:
    """Those seen lately, by kind and age."""
    return [
        {
            "kind": row.kind,
            "host": row.host,
            "pid": row.pid,
            "started_at": rfc3339(row.started_at),
            "seen_at": rfc3339(row.seen_at),
            "digest": row.digest,
            "config": "invalid" if row.errors else "ok",
            "errors": row.errors,
        }
        for row in processes.list_running(connection, now=now)
    ]


def config_status(connection: Connection, now: datetime) -> ConfigStatus:
    """All of them, and whether any refuses the file."""
    found = list_processes(connection, now)
    return {"config": "invalid" if any(one["errors"] for one in found) else "ok", "processes": found}


def find_processes(engine: Engine, now: datetime) -> list[Process]:
    """The same for a command line. None while there is no ledger to ask."""
    try:
        SCHEMA.check(engine)
        with reading(engine).begin() as connection:
            return list_processes(connection, now)
    except (SchemaError, sa.exc.SQLAlchemyError):
        return []
