"""The answers that are not a success, each with its status, body and headers in Django REST framework's style."""

from __future__ import annotations

from typing import Any

from shared.errors import TagshipError

BUSY = 503  # also where a connection was lost, perhaps after the database had done what was asked


class Refused(TagshipError):
    """Ends a request with this status and JSON body; a transaction around it is rolled back."""

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body
        self.headers = headers or {}


def invalid(body: dict[str, Any]) -> Refused:
    return Refused(400, body)


def bad_request(detail: str) -> Refused:
    return Refused(400, {"detail": detail})


def unauthenticated(detail: str) -> Refused:
    return Refused(401, {"detail": detail}, {"WWW-Authenticate": 'xBasic realm="api"'})


def forbidden() -> Refused:
    return Refused(403, {"detail": "You do not have permission to perform this action."})


def missing() -> Refused:
    return Refused(404, {"detail": "The requested resource does not exist"})


def commits_are_locked() -> Refused:
    return Refused(409, {"detail": "Release commits are currently being processed"})


def conflicts() -> Refused:
    return Refused(409, {"detail": "Could not create the release it conflicts with existing data"})


def full(what: str) -> Refused:
    """Also where clients try again: someone may make room."""
    return Refused(507, {"detail": f"{what} is full"})


def busy() -> Refused:
    return Refused(BUSY, {"detail": "The database is busy; try again"}, {"Retry-After": "1"})
