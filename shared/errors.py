"""The exception family. Each class means one reaction; "nothing to do" is a value, never an exception."""

from __future__ import annotations

from datetime import timedelta


class TagshipError(Exception):
    """Base of everything we raise on purpose. The text is one sentence that may be shown to anyone."""


def forget_frames(error: BaseException) -> None:
    """To be called for an error that is kept beyond its `except`: its frames, their callers' among them, hold what these
    worked on, such as a request's body, and whoever holds the error closes a cycle."""
    error.__traceback__ = error.__context__ = None


class SettingsError(TagshipError):
    """A wrong, empty or missing setting. Carries every fault found, one sentence each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class SchemaError(TagshipError):
    """The database's schema is older or newer than this program."""


class Rejected(TagshipError):
    """The sender is at fault; mapped to an HTTP status in one table (`webhook/http/problems.py`)."""


class UnknownProvider(Rejected):
    """No such provider, or it has no secret configured."""


class BadSignature(Rejected):
    """The signature or token is wrong."""


class NoSignature(BadSignature):
    """The request carries neither signature nor token."""


class SourceMismatch(BadSignature):
    """The secret is good, but for other repositories."""


class BadPayload(Rejected):
    """Not JSON, or a field of the wrong shape; the sentence names the field."""


class UnsupportedBody(Rejected):
    """A content type or encoding that is not read."""


class CannotStore(TagshipError):
    """The ledger cannot take a delivery now; the sender is to try again. The text is for the log alone."""


class TooManyRefusals(Rejected):
    """So many requests of this sender were refused that the next ones are not looked into. `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many requests from this address were refused; try again in {retry_after} s")
        self.retry_after = retry_after


class TransientError(TagshipError):
    """Passing: try again later. `retry_after` is what the other side asked for, if it did.

    `is_of_release`: the target is well, it is this one release that it does not take now.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        status: int | None = None,
        retry_after: timedelta | None = None,
        is_of_release: bool = False,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.retry_after = retry_after
        self.is_of_release = is_of_release


class PermanentError(TagshipError):
    """Trying again changes nothing; a person must act. `reason` is one of the contract's stable codes.

    `answer`: the body of the refusal, bounded and masked, for whoever can send something else instead.
    """

    def __init__(self, message: str, *, reason: str, status: int | None = None, answer: bytes = b"") -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.answer = answer


class BadParameter(TagshipError):
    """A parameter or field of an operator's request; the sentence names it."""


class NotFound(TagshipError):
    """No such row."""


class Conflict(TagshipError):
    """The row's state does not allow the transition."""
