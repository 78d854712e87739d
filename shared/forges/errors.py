"""What a forge refuses, beside the errors that every outside system has. Imports no HTTP client, so decisions may name them."""

from __future__ import annotations

from datetime import datetime

from shared.domain.reasons import Reason
from shared.errors import PermanentError, TransientError


class RateLimited(TransientError):
    """The forge will answer no call of `scope` (one token at one host) before `until`."""

    def __init__(self, message: str, *, scope: str, until: datetime, now: datetime, status: int) -> None:
        super().__init__(message, reason=Reason.RATE_LIMITED, status=status, retry_after=until - now)
        self.scope = scope
        self.until = until


class Missing(TransientError):
    """The repository can be read, but `name` (a sha, or a tag's name) is not in it."""

    def __init__(self, message: str, *, name: str, status: int | None = None) -> None:
        super().__init__(message, status=status)
        self.name = name


class NoCommit(PermanentError):
    """The tag is one of a file or a tree: no release can be made of it."""


class Refused(PermanentError):
    """The forge refuses `scope`: one token at one host (401), or that token for one repository (403, 404)."""

    def __init__(self, message: str, *, scope: str, status: int) -> None:
        super().__init__(message, reason=Reason.FORGE_AUTH, status=status)
        self.scope = scope
