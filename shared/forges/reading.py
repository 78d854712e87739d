"""The one way to read a webhook, when it comes and whenever its stored payload is needed again.

A large body is read in a process beside: reading 25 MB takes seconds in which Python runs no other thread
(docs/decisions/0018-large-bodies-are-read-in-a-process-beside.md).
"""

from __future__ import annotations

import itertools
import json
import marshal
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from shared.domain.push import Commit, FileChange, Push
from shared.domain.webhook import Hook, Incoming
from shared.errors import BadPayload, Rejected, TransientError, UnknownProvider
from shared.forges import PROVIDERS
from shared.infra.helper_process import Helper, HelperDied

LARGE = 1024 * 1024  # bytes; up to here reading takes some 20 ms
_SECONDS = 60.0
_PORTION = 64  # commits that are taken over at once: it holds the interpreter's lock for milliseconds
_HOOK, _COMMITS, _REFUSED = b"H", b"C", b"R"

_helper = Helper("shared.forges.large_body_reader", seconds=_SECONDS)
_Commit = tuple[str, str, str | None, str | None, str | None, tuple[tuple[str, str], ...] | None]


def is_large(body: bytes) -> bool:
    return len(body) > LARGE


def read_webhook(provider: str, incoming: Incoming, *, with_commits: bool = True) -> Hook:
    """What a webhook says. Without the commits a push has none of them: they are only checked, and the same is refused.

    Raises UnknownProvider; BadPayload, which names the header or field, also for a large body that takes too long or too
    much memory to read; TransientError where the process that reads large ones was killed twice or cannot be started.
    """
    if provider not in PROVIDERS:
        raise UnknownProvider(f"the provider {provider!r} is not known")
    if len(incoming.body) <= LARGE:  # as `is_large`, without its call: this is the way of every webhook
        return PROVIDERS[provider].read(incoming, with_commits)
    head = {"provider": provider, "headers": dict(incoming.headers), "with_commits": with_commits}
    return _understand(_ask([json.dumps(head).encode(), incoming.body]))


def read_stored_push(provider: str, headers: Mapping[str, str], body: bytes) -> Push | None:
    """The push of a webhook that was verified when it came; None where it was another event. Raises as `read_webhook`: the
    provider is no longer known, or an older program stored what this one cannot read."""
    content = read_webhook(provider, Incoming(headers, body)).content
    return content if isinstance(content, Push) else None


def _ask(frames: Sequence[bytes]) -> list[bytes]:
    """Once more where somebody else's signal, or the kernel, ended the process."""
    try:
        try:
            return _helper.ask(frames)
        except HelperDied as problem:
            if problem.is_ours or problem.is_late:
                raise
            return _helper.ask(frames)
    except HelperDied as problem:
        if problem.is_ours:
            raise BadPayload(f"the body cannot be read: {problem}") from None
        raise _not_now(str(problem)) from None
    except OSError as problem:
        raise _not_now(problem.strerror or "its process cannot be started") from None


def answer(next_frame: Callable[[], bytes]) -> Iterator[bytes]:
    """The other side of `read_webhook`: reads one webhook, in the process beside."""
    head = json.loads(next_frame())
    incoming = Incoming(head["headers"], next_frame())
    try:
        hook = PROVIDERS[head["provider"]].read(incoming, head["with_commits"])
    except Rejected as problem:
        yield _REFUSED + str(problem).encode()
        return
    except MemoryError:
        yield _REFUSED + b"the body takes too much memory to read"
        return
    if isinstance(hook.content, Push):
        commits = iter(hook.content.commits)
        while portion := list(itertools.islice(commits, _PORTION)):
            yield _COMMITS + marshal.dumps([_packed(commit) for commit in portion])
        hook = replace(hook, content=replace(hook.content, commits=()))
    yield _HOOK + pickle.dumps(hook)


def _understand(frames: Sequence[bytes]) -> Hook:
    """What `answer` gave: our own program's words, made of checked fields; no sender's bytes are unpacked."""
    commits: list[Commit] = []
    for frame in frames:
        kind, content = frame[:1], frame[1:]
        if kind == _REFUSED:
            raise BadPayload(content.decode())
        if kind == _HOOK:
            hook: Hook = pickle.loads(content)  # noqa: S301
            if commits and isinstance(hook.content, Push):
                return replace(hook, content=replace(hook.content, commits=tuple(commits)))
            return hook
        commits += [_unpacked(packed) for packed in marshal.loads(content)]  # noqa: S302
    raise _not_now("its process gave no answer")


def _not_now(why: str) -> TransientError:
    return TransientError(f"a large body could not be read: {why}", is_of_release=True)


def _packed(commit: Commit) -> _Commit:
    at = None if commit.timestamp is None else commit.timestamp.isoformat()
    files = None if commit.files is None else tuple((path, kind) for path, kind in commit.files)
    return commit.id, commit.message, commit.author_name, commit.author_email, at, files


def _unpacked(packed: _Commit) -> Commit:
    commit_id, message, name, email, at, files = packed
    return Commit(
        commit_id,
        message,
        name,
        email,
        None if at is None else datetime.fromisoformat(at),
        None if files is None else tuple([FileChange._make(change) for change in files]),
    )
