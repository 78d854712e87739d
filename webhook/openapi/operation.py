"""What a view says of itself: who may call it, what it takes, what it answers. The OpenAPI document is made of these. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

Json = dict[str, Any]
View = TypeVar("View", bound=Callable[..., Any])
# anyone: no credentials; sender: a webhook's signature or token; viewer: either token; operator: OPS_TOKEN alone
Who = Literal["anyone", "sender", "viewer", "operator"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """Of the address, the query or a header: its JSON Schema, and what it means in one sentence."""

    name: str
    schema: Json
    meaning: str
    is_required: bool = False  # one of the address always is


@dataclass(frozen=True, slots=True)
class Answer:
    """`schema` is None for a body of any shape."""

    meaning: str
    schema: Json | None
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`problems` are the statuses that come as application/problem+json, beside those that its `who` and `body` bring."""

    summary: str
    who: Who
    answers: Mapping[int, Answer]
    detail: str = ""
    path: tuple[Parameter, ...] = ()
    query: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    body: Json | None = None
    is_body_required: bool = True
    body_types: tuple[str, ...] = ("application/json",)
    problems: Mapping[int, str] = field(default_factory=dict)

    def all_problems(self) -> dict[int, str]:
        """{status: when}, of all refusals."""
        found: dict[int, str] = {429: "Too many requests of this address were refused."}
        if self.who in ("viewer", "operator"):
            found[401] = "The token is missing or wrong."
        if self.who == "operator":
            found[403] = "The reading token may only look."
        if self.who != "anyone":
            found[503] = "The database does not answer: try again."
        if self.body is not None:
            found |= {408: "The body did not arrive in time.", 413: "The body is larger than the limit."}
        return dict(sorted({**found, **self.problems}.items()))


_ATTRIBUTE = "__tagship_call__"


def described(call: Call) -> Callable[[View], View]:
    """Fasten a description to a view. Goes below the route's decorator."""

    def decorate(view: View) -> View:
        setattr(view, _ATTRIBUTE, call)
        return view

    return decorate


def description_of(view: Callable[..., Any]) -> Call:
    """Raises LookupError for a view that has none: no address is served that the document does not name."""
    call = getattr(view, _ATTRIBUTE, None)
    if not isinstance(call, Call):
        raise LookupError(f"the view {getattr(view, '__qualname__', view)} has no description")
    return call
