"""Webhooks straight from the server's event loop: Flask's own way to a view costs as much as reading one, and holds its body in
cycles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from shared.domain.webhook import Incoming
from shared.forges.reading import is_large
from shared.infra import asgi
from shared.infra.asgi import Admit, Limits, Quick
from shared.infra.asgi_head import Scope
from shared.infra.public_path import without
from webhook.http import problems
from webhook.intake.group_commit import Outcome
from webhook.intake.receiver import PROOFS, Denied, Intake, finish, judge, store

_QUICK_BYTES = 128 * 1024  # a few milliseconds of reading; a larger body must not hold up the event loop
_NOBODYS_BYTES = 64 * 1024  # of a request that is no webhook and says not even by a cookie whose it is
_PATH = "/webhooks/"
SenderOf = Callable[[str, Mapping[str, str]], str]  # (peer's address, headers) -> whose request it is


def admit(current: Callable[[], Intake], sender_of: SenderOf, prefix: str = "") -> Admit:
    """Says of a request whose body is still to come how large it may be, or answers it at once: a webhook without a signature
    or token is refused whatever its body holds. The arguments are those of `quickly`."""
    largest = Limits().max_body

    def look(scope: Scope, headers: Mapping[str, str]) -> int | Awaitable[asgi.Answer]:
        path = without(prefix, scope["path"]) if prefix else scope["path"]
        if scope["method"] != "POST" or not path.startswith(_PATH):
            return largest if "authorization" in headers or "cookie" in headers else _NOBODYS_BYTES
        name = path[len(_PATH) :].removesuffix("/")
        intake = current()
        if name not in intake.keyrings:
            return _NOBODYS_BYTES
        if not PROOFS[name].isdisjoint(headers):
            return largest
        return _take(intake, name, Incoming(headers, b""), sender_of((scope.get("client") or ("",))[0], headers))

    return look


def quickly(current: Callable[[], Intake], sender_of: SenderOf, prefix: str = "") -> Quick:
    """The same as `receive` for the server's event loop: Flask's own way to a view costs as much as reading the webhook, and
    holds the body in cycles.

    `current` gives the rules and secrets in force; a request keeps those it began with. `sender_of` (peer's address, headers)
    says whose request it is. Bodies that would hold up the loop are read beside it, one at a time: reading is work for the
    interpreter, which several threads only take from one another. Large ones wait for one another alone. `prefix`: the path
    that the app is reached below.
    """
    beside = ThreadPoolExecutor(1, thread_name_prefix="medium-body")
    apart = ThreadPoolExecutor(1, thread_name_prefix="large-body")

    def take(scope: Scope, headers: Mapping[str, str], body: bytes) -> Awaitable[asgi.Answer] | None:
        path = without(prefix, scope["path"]) if prefix else scope["path"]
        if scope["method"] != "POST" or not path.startswith(_PATH):
            return None
        name = path[len(_PATH) :].removesuffix("/")
        intake = current()
        if name not in intake.keyrings:
            return None
        sender, incoming = sender_of((scope.get("client") or ("",))[0], headers), Incoming(headers, body)
        if is_large(body):
            return _take(intake, name, incoming, sender, apart, is_alone=True)
        return _take(intake, name, incoming, sender, beside if len(body) > _QUICK_BYTES else None)

    return take


async def _take(
    intake: Intake,
    name: str,
    incoming: Incoming,
    sender: str,
    beside: ThreadPoolExecutor | None = None,
    *,
    is_alone: bool = False,
) -> asgi.Answer:
    """The answer. `beside`: where it is read, None in the event loop. `is_alone`: it is stored there, too, in no group."""
    started = time.perf_counter()
    try:
        if beside is None:
            admitted = judge(intake, name, incoming, sender)
        else:
            admitted = await asyncio.get_running_loop().run_in_executor(beside, judge, intake, name, incoming, sender)
        if isinstance(admitted, Denied):
            if admitted.write is not None:  # before the answer goes out: whoever is refused may look for it at once
                await asyncio.to_thread(admitted.write)
            return problems.as_answer(problems.answer_to(admitted.fault))
        if is_alone:
            outcome: Outcome = await asyncio.to_thread(store, intake, admitted.arrival)
        else:
            outcome = await intake.group_commit.submit(admitted.arrival)
        return finish(intake, admitted, outcome, started)
    except Exception as fault:
        return problems.as_answer(problems.answer_to(fault))
