"""Sends requests over kept-alive connections and counts how many were answered a second."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

Bodies = Callable[[int], bytes]


def requests_a_second(url: str, headers: dict[str, str], bodies: Bodies, *, count: int, connections: int) -> float:
    """POST `bodies(n)` for n in range(count); raises on any answer but 200, 201 and 208."""
    numbers = itertools.count()
    prepared = [bodies(n) for n in range(count)]
    faults: list[str] = []
    started = time.perf_counter()
    threads = [threading.Thread(target=_send, args=(url, headers, prepared, numbers, faults)) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise RuntimeError(faults[0])
    return count / (time.perf_counter() - started)


def _send(url: str, headers: dict[str, str], bodies: list[bytes], numbers: itertools.count[int], faults: list[str]) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        while not faults and (number := next(numbers)) < len(bodies):
            connection.request("POST", parts.path, bodies[number], headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status not in (200, 201, 208):
                faults.append(f"{answer.status}: {text[:500]!r}")
    except OSError as problem:
        faults.append(repr(problem))
    finally:
        connection.close()
