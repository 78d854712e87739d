"""What a problem's `code` may say: one for each kind of refusal, with its status, its meaning and what to do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ProblemCode(StrEnum):
    BAD_REQUEST = "bad_request"
    BAD_PARAMETER = "bad_parameter"
    BAD_PAYLOAD = "bad_payload"
    BAD_SIGNATURE = "bad_signature"
    NOT_AUTHORIZED = "not_authorized"
    READ_ONLY_TOKEN = "read_only_token"  # noqa: S105
    NOT_FOUND = "not_found"
    UNKNOWN_PROVIDER = "unknown_provider"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_SLOW = "body_too_slow"
    CONFLICT = "conflict"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_BODY = "unsupported_body"
    TOO_MANY_REFUSALS = "too_many_refusals"
    UNEXPECTED = "unexpected"
    CANNOT_STORE = "cannot_store"
    NO_ROOM = "no_room"


class Explained(NamedTuple):
    status: int
    meaning: str
    advice: str


PROBLEMS: dict[ProblemCode, Explained] = {
    ProblemCode.BAD_REQUEST: Explained(400, "The request is not readable HTTP or JSON.", "Correct it; detail says where."),
    ProblemCode.BAD_PARAMETER: Explained(
        400,
        "A parameter or field is unknown or has a wrong value.",
        "Correct the one that detail names; it lists valid values.",
    ),
    ProblemCode.BAD_PAYLOAD: Explained(
        400, "The webhook is authentic, but a header or field of it is not readable.", "Check content type and events there."
    ),
    ProblemCode.BAD_SIGNATURE: Explained(
        401,
        "The webhook's signature or token is missing or wrong, or its secret is for other repositories.",
        "Set the same secret here and at the provider, then redeliver there.",
    ),
    ProblemCode.NOT_AUTHORIZED: Explained(
        401, "The operators' token is missing or wrong.", "Send Authorization: Bearer with OPS_TOKEN or OPS_READ_TOKEN."
    ),
    ProblemCode.READ_ONLY_TOKEN: Explained(403, "OPS_READ_TOKEN may only look.", "Send OPS_TOKEN to change something."),
    ProblemCode.NOT_FOUND: Explained(
        404, "Nothing is at this address, or the row has expired.", "Check the address and the ID; lists show what is there."
    ),
    ProblemCode.UNKNOWN_PROVIDER: Explained(
        404, "No such provider, or it has no secret here.", "Set its webhook secret and restart, or correct the address."
    ),
    ProblemCode.METHOD_NOT_ALLOWED: Explained(
        405, "This address does not take this method.", "The Allow header lists those that it takes."
    ),
    ProblemCode.BODY_TOO_SLOW: Explained(408, "The body did not arrive in time.", "Send it again; check the proxy in front."),
    ProblemCode.CONFLICT: Explained(
        409, "The state of the row does not allow this.", "Read it again: another request or a worker may have changed it."
    ),
    ProblemCode.BODY_TOO_LARGE: Explained(413, "The body is larger than the limit.", "Providers send 25 MB at most."),
    ProblemCode.UNSUPPORTED_BODY: Explained(
        415, "A content type or encoding that is not read.", "Choose application/json at the provider, without compression."
    ),
    ProblemCode.TOO_MANY_REFUSALS: Explained(
        429, "Too many requests of this address were refused.", "Wait as long as Retry-After says; correct the secret or token."
    ),
    ProblemCode.UNEXPECTED: Explained(500, "A fault of Tagship itself.", "The log has its trace: please report it."),
    ProblemCode.CANNOT_STORE: Explained(
        503, "The database does not take anything now.", "Send it again later; /readyz says what is missing."
    ),
    ProblemCode.NO_ROOM: Explained(507, "There is no room on the disk for the body.", "Make room where the process keeps it."),
}
# A refusal of which only the status is known.
_BY_STATUS = {
    **{explained.status: code for code, explained in reversed(PROBLEMS.items())},
    401: ProblemCode.NOT_AUTHORIZED,
    403: ProblemCode.READ_ONLY_TOKEN,
}


def of_status(status: int) -> ProblemCode:
    """The code of a status; the general one of its class where it has none."""
    return _BY_STATUS.get(status) or (ProblemCode.UNEXPECTED if status >= 500 else ProblemCode.BAD_REQUEST)
