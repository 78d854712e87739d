"""Structured logs: one line per event on stderr, JSON or for a terminal. Never a body, a secret or a raw control character."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO

import structlog

from shared.infra.json_codec import write_json
from shared.infra.visible_text import visible

_LONGEST_VALUE = 2_000
_LONGEST_TRACE = 20_000
_SHORTEST_SECRET = 6  # shorter ones would blot out ordinary words

_hidden: list[str] = []


def _flatten(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Payload text reaches the log only as one bounded line: ref names and messages are attacker-written."""
    for key, value in event.items():
        event[key] = _trace(value) if key in ("exception", "stack") else _flat(value)
    return event


def _trace(value: Any) -> Any:
    """A trace keeps its line breaks; the end of a long one says what happened."""
    if not isinstance(value, str):
        return value
    cut = value if len(value) <= _LONGEST_TRACE else _blot(value)[-_LONGEST_TRACE:]
    return visible(cut, lines=True).replace("\t", "\\t")


def _write_trace(stream: TextIO, exc_info: Any) -> None:
    """For a terminal: plain, since the pretty ones print local variables, and tokens are among them. Each line of it is
    set in, so that no line break in an exception's text passes for a line of the log."""
    text = "".join(traceback.format_exception(*exc_info)).rstrip("\n")
    stream.write("".join(f"\n    | {line}" for line in _trace(text).split("\n")))


def hide(secrets: Iterable[str]) -> None:
    """From now on these values stand in no line, whoever writes it: a last net, for texts of libraries above all."""
    found = {*_hidden}
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            found |= {secret, json.dumps(secret, ensure_ascii=False)[1:-1]}
    _hidden[:] = sorted(found, key=len, reverse=True)  # in one step: other threads write lines meanwhile


class _Hiding:
    """Renders, then blots out. A few searches in a short text: what they cost cannot be measured."""

    def __init__(self, renderer: structlog.types.Processor) -> None:
        self._renderer = renderer

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        return _blot(str(self._renderer(logger, name, event)))


def _blot(text: str) -> str:
    for secret in _hidden:
        if secret in text:
            text = text.replace(secret, "***")
    return text


def _flat(value: Any) -> Any:
    if isinstance(value, str):
        cut = value[:_LONGEST_VALUE]
        if cut is not value:  # blotted before it is cut: half a secret would be recognized no longer
            cut = _blot(value)[:_LONGEST_VALUE]
        return visible(cut)
    if isinstance(value, list | tuple):
        return [_flat(item) for item in value]
    if isinstance(value, dict):
        return {_flat(key): _flat(item) for key, item in value.items()}
    return value


def setup(log_format: str, level: str) -> None:
    """Our own lines go straight to stderr, the libraries' through `logging`; both look alike. `log_format`: console or json."""
    renderer: structlog.types.Processor
    if log_format == "json":
        renderer = structlog.processors.JSONRenderer(lambda event, **_: write_json(event, repr))
        tail: list[structlog.types.Processor] = [structlog.processors.format_exc_info, _flatten]
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=_write_trace)
        tail = [_flatten]
    tail.append(_Hiding(renderer))
    common: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*common, structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # One line per HTTP call or statement is the libraries' business only when something is wrong.
    for noisy in ("httpx2", "httpcore2", "alembic", "kombu", "amqp", "werkzeug", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*common, *tail],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(level.lower()),
        cache_logger_on_first_use=False,
    )


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry `event` (a fixed word such as `job.succeeded`) and keyword fields."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(name)
    return logger
