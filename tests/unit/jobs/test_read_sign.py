"""What the end of an attempt says about its target: `read_sign` as a table."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.domain.target_health import Seen, Sign
from shared.errors import PermanentError, TransientError
from worker.jobs.retry_policy import read_sign

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (None, Seen(Sign.WELL)),
        # A temporary error of the target, or none of its answers came: it is unhealthy.
        (TransientError("boom", status=500), Seen(Sign.ILL, "boom")),
        (TransientError("no answer"), Seen(Sign.ILL, "no answer")),
        (TransientError("slow down", status=429, retry_after=MINUTE), Seen(Sign.ILL, "slow down", MINUTE)),
        (TransientError("away", status=503, retry_after=9 * MINUTE), Seen(Sign.ILL, "away", 9 * MINUTE)),
        # 409: the target is busy with this one release, and healthy.
        (TransientError("busy", status=409), Seen(Sign.WELL)),
        (TransientError("busy", status=409, retry_after=MINUTE), Seen(Sign.WELL)),
        # What is wrong with this one release says nothing of the target.
        (TransientError("odd", status=500, is_of_release=True), Seen(Sign.WELL)),
        # 401 and 403 of the target: no job can succeed until a person changes the token.
        (PermanentError("token refused", reason="target_auth", status=401), Seen(Sign.BARRED, "token refused")),
        (PermanentError("no right", reason="target_auth", status=403), Seen(Sign.BARRED, "no right")),
        # The same reason without an answer: the token's variable is not set here, which says nothing of the target.
        (PermanentError("token not set", reason="target_auth"), Seen(Sign.NONE)),
        (PermanentError("odd", reason="target_auth", status=404), Seen(Sign.WELL)),
        # A refusal of this one release comes from a healthy target.
        (PermanentError("bad version", reason="target_refused", status=400), Seen(Sign.WELL)),
        (PermanentError("too large", reason="target_refused", status=413), Seen(Sign.WELL)),
        (PermanentError("forbidden", reason="target_refused", status=403), Seen(Sign.WELL)),
        (PermanentError("no such project", reason="project_unknown", status=404), Seen(Sign.WELL)),
        # The attempt ended before the target was called, or by a fault of ours.
        (PermanentError("payload expired", reason="missed_webhook"), Seen(Sign.NONE)),
        (ValueError("a bug"), Seen(Sign.NONE)),
    ],
)
def test_the_sign_of_an_attempt(error: Exception | None, seen: Seen) -> None:
    assert read_sign(error) == seen
