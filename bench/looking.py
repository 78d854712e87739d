"""A person at the dashboard and a program at the API, both as one kept-alive connection that times each answer."""

from __future__ import annotations

import http.client
import re
import statistics
import time
from urllib.parse import urlencode

from bench.receivers import OPS_TOKEN

_PATIENCE = 60.0


class Looker:
    """Signed in as an operator; what is under /api gets the same token as a header."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=_PATIENCE)
        self._headers = {"Authorization": f"Bearer {OPS_TOKEN}"}
        self._sign_in()

    def median_ms(self, path: str, times: int) -> float:
        """Of so many requests one after another, each to its answer's last byte. Raises RuntimeError on any but 200."""
        taken = []
        for _ in range(times):
            started = time.perf_counter()
            self._ask("GET", path)
            taken.append(1_000 * (time.perf_counter() - started))
        return statistics.median(taken)

    def close(self) -> None:
        self._connection.close()

    def _sign_in(self) -> None:
        form = self._ask("GET", "/sign-in")
        token = re.search(r'name="form_token" value="([0-9a-f]{64})"', form)
        if token is None:
            raise RuntimeError("the sign-in page has no form")
        self._headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._ask("POST", "/sign-in", urlencode({"token": OPS_TOKEN, "form_token": token[1]}), wanted=303)
        del self._headers["Content-Type"]

    def _ask(self, method: str, path: str, body: str | None = None, *, wanted: int = 200) -> str:
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if answer.status != wanted:
            raise RuntimeError(f"{method} {path} was answered {answer.status}: {text[:200]}")
        if (cookie := answer.getheader("Set-Cookie")) is not None:
            self._headers["Cookie"] = cookie.partition(";")[0]
        return text
