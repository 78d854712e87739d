"""Says in the log that a target paused, resumed or is asked with care."""

from __future__ import annotations

from shared.domain.target_health import Health, TargetState
from shared.infra import logs

logger = logs.get(__name__)


def log_change(before: Health, after: Health) -> None:
    """One line where the state changed."""
    if before.state is not after.state:
        until = after.paused_until.isoformat() if after.paused_until else None
        tell = logger.info if after.state is TargetState.OK else logger.warning
        tell(f"target.{after.state}", reason=after.reason, detail=after.detail, until=until)
    elif after.is_careful and not before.is_careful:
        logger.warning("target.careful", detail=after.detail)
