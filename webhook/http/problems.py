"""One table: what went wrong -> HTTP status and an RFC 9457 problem. No answer carries a secret, a trace or an oracle."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask, Response
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from shared.errors import (
    BadParameter,
    BadPayload,
    BadSignature,
    CannotStore,
    Conflict,
    NotFound,
    TagshipError,
    TooManyRefusals,
    TransientError,
    UnknownProvider,
    UnsupportedBody,
    forget_frames,
)
from shared.infra import logs
from shared.infra.asgi import Answer, Refusal
from shared.infra.json_codec import write_json
from webhook.http.problem_codes import PROBLEMS, ProblemCode, of_status

MEDIA_TYPE = "application/problem+json"
_CODES: dict[type[TagshipError], ProblemCode] = {
    UnknownProvider: ProblemCode.UNKNOWN_PROVIDER,
    BadSignature: ProblemCode.BAD_SIGNATURE,
    BadPayload: ProblemCode.BAD_PAYLOAD,
    BadParameter: ProblemCode.BAD_PARAMETER,
    UnsupportedBody: ProblemCode.UNSUPPORTED_BODY,
    NotFound: ProblemCode.NOT_FOUND,
    Conflict: ProblemCode.CONFLICT,
}
# One text for missing and wrong alike: which of the two it was stands in the log and in the list of refused deliveries.
_UNSIGNED = "the signature or token is missing or wrong"

_TRY_AGAIN = "the delivery could not be stored; send it again"

logger = logs.get(__name__)


def render(status: int, detail: str, code: ProblemCode | None = None) -> bytes:
    """The problem's JSON: {"type", "title", "status", "detail", "code"}. Without a code, the usual one of the status."""
    title, code = HTTPStatus(status).phrase, code or of_status(status)
    told = {"type": f"/reference/problems#{code}", "title": title, "status": status, "detail": detail, "code": code}
    return write_json(told).encode()


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, code: ProblemCode | None = None) -> Response:
    return Response(render(status, detail, code), status=status, content_type=MEDIA_TYPE, headers=dict(headers or {}))


def refuse_body(refusal: Refusal) -> tuple[list[tuple[str, str]], bytes]:
    """A body that the server's entry did not read to its end, in the same form as every other refusal."""
    headers = [("Content-Type", MEDIA_TYPE)]
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", "5"))
    return headers, render(refusal.status, refusal.detail)


def answer_to(error: Exception) -> Response:
    """The table: TagshipError, werkzeug's HTTPException, a database that cannot store, anything else."""
    if isinstance(error, CannotStore):
        logger.error("storage.failed", error=type(error).__name__, cause=str(error))
        return problem(503, _TRY_AGAIN, {"Retry-After": "5"})
    if isinstance(error, TransientError):
        logger.error("request.unserved", cause=str(error))
        return problem(503, f"{error}; send it again", {"Retry-After": "5"})
    if isinstance(error, TooManyRefusals):
        return problem(429, str(error), {"Retry-After": str(error.retry_after)})
    if isinstance(error, TagshipError):
        for kind, code in _CODES.items():
            if isinstance(error, kind):
                status = PROBLEMS[code].status
                return problem(status, _UNSIGNED if status == 401 else str(error), code=code)
    if isinstance(error, HTTPException):
        allow = {"Allow": ", ".join(sorted(methods))} if (methods := getattr(error, "valid_methods", None)) else {}
        return problem(error.code or 500, _DETAILS.get(error.code or 500) or error.description or error.name, allow)
    if isinstance(error, SQLAlchemyError):
        logger.error("storage.failed", error=type(error).__name__, cause=str(getattr(error, "orig", None) or error))
        return problem(503, _TRY_AGAIN, {"Retry-After": "5"})
    logger.error("request.unexpected", exc_info=error)
    return problem(500, "an unexpected fault; the log has its trace")


def as_answer(response: Response) -> Answer:
    """A response as the server's entry sends it."""
    return response.status_code, list(response.headers), response.get_data()


def register(app: Flask) -> None:
    """Install the table."""
    for kind in (TagshipError, HTTPException, SQLAlchemyError, Exception):
        app.register_error_handler(kind, _answer_and_forget)


def _answer_and_forget(error: Exception) -> Response:
    try:
        return answer_to(error)
    finally:
        forget_frames(error)


_DETAILS = {
    404: "there is nothing at this address",
    413: "the body is larger than the limit",
}
