"""The API's lines in the audit log."""

from __future__ import annotations

from typing import Any

from flask import request
from sqlalchemy.engine import Connection

from shared.ledger import audit

_ACTIONS = {
    "replay_job": "job_replay",
    "cancel_job": "job_cancel",
    "replay_delivery": "delivery_replay",
    "replay_jobs": "jobs_replay",
    "pause_target": "target_pause",
    "resume_target": "target_resume",
}


def note(connection: Connection, answer: dict[str, Any]) -> None:
    """In the act's own transaction; a kept answer that is given again adds no line."""
    name = (request.endpoint or "").rpartition(".")[2]
    audit.record(
        connection,
        door="api",
        role="operator",
        action=_ACTIONS.get(name, name),
        subject=next(iter((request.view_args or {}).values()), None),
        detail={word: answer[word] for word in ("jobs", "replayed") if word in answer} or None,
        address=request.remote_addr,
    )
