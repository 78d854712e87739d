"""The JSON of the processes that run and of the rules file that each has in force, as types (see `shapes.py`)."""

from __future__ import annotations

from typing import Annotated, Literal

from typing_extensions import TypedDict  # pydantic reads that of `typing` from Python 3.12 on

from webhook.ops.shapes import Count, Time, about

State = Literal["ok", "invalid"]


class Process(TypedDict):
    kind: Literal["web", "worker", "sweeper"]
    host: str
    pid: Count
    started_at: Time
    seen_at: Annotated[Time, about("the last sign of life")]
    digest: Annotated[str | None, about("SHA-256 of the rules file in force, in hexadecimal; null: no file")]
    config: Annotated[State, about("invalid: the file was changed, and the change is refused")]
    errors: Annotated[list[str], about("of the file that is refused, one sentence each")]


class ConfigStatus(TypedDict):
    config: Annotated[State, about("invalid where any process refuses the file as it is now")]
    processes: list[Process]
