"""What the routes of an organization's and of a project's releases share: the body with its owner, the answer to a write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, request

from releases.errors import invalid
from releases.http.request import Call, answer, fault_body, json_value, server
from releases.operations import Outcome
from releases.tenancy import organizations
from releases.validation.fields import NULL, Fault
from releases.validation.requests import NewRelease
from shared.infra import logs

_LONGEST_USER_AGENT = 256


def finished(outcome: Outcome) -> Response:
    """The answer; what was stored may let refs become commits, here or elsewhere."""
    if outcome.to_find is not None:
        server().after_commit(outcome.to_find)
    counts = {"commits": outcome.body["commitCount"], "status": outcome.status}
    logs.get(__name__).info("releases.stored", version=outcome.body["version"], **counts)
    return answer(outcome.body, outcome.status)


def user_agent() -> str:
    """Empty where the client names none."""
    return request.headers.get("User-Agent", "")[:_LONGEST_USER_AGENT].replace("\0", "")


def read_owned(call: Call, read: Callable[[object], NewRelease]) -> tuple[NewRelease, int | None]:
    """The body and the owner it names; a bad owner is reported together with every other bad field."""
    data = json_value()
    faults: dict[str, Any] = {}
    new = owner_id = None
    try:
        new = read(data)
    except Fault as fault:
        faults = fault_body(fault)
    if isinstance(data, dict) and "owner" in data:
        try:
            owner_id = _read_owner(call, data["owner"])
        except Fault as fault:
            faults["owner"] = fault.texts
    if new is None or faults:
        raise invalid(faults)
    return new, owner_id


def _read_owner(call: Call, named: object) -> int | None:
    """A member's id; nothing but null names nobody. Raises Fault."""
    if named is None:
        raise Fault([NULL])
    return find_owner(call, named) if named else None


def find_owner(call: Call, named: object) -> int:
    """A member's id. Raises Fault."""
    if isinstance(named, bool) or not isinstance(named, (str, int)):
        raise Fault(["Unable to find user"])
    with server().reader.begin() as connection:
        user = organizations.find_user(connection, named)
        if user is None or not user["is_active"]:
            raise Fault(["Unable to find user"])
        if not organizations.is_member(connection, call.organization.id, user["id"]):
            raise Fault(["User does not have access to this organization"])
    return int(user["id"])
