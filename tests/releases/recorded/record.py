"""Ask a Sentry every request of `sessions.py` and write down what it answers: `python -m tests.releases.recorded.record FILE`.

FILE is a JSON object: `base` (address), and under `token`, `token_read`, `token_none`, `key`, `key_read` the secrets of
credentials of an organization `acme` with the projects `web` and `api`.
"""

from __future__ import annotations

import base64
import http.client
import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tests.releases.recorded.sessions import SURROUNDING, Request, sessions
from tests.releases.recorded.shape import headers, shape, write_answers

ANSWERS = Path(__file__).with_name("answers.json")
_NAMES = {"read": "token_read", "none": "token_none"}


def filled(value: Any, version: str) -> Any:
    """With the session's version."""
    if isinstance(value, str):
        return value.replace("{V}", version)
    if isinstance(value, bytes):
        return value.replace(b"{V}", version.encode())
    if isinstance(value, list):
        return [filled(one, version) for one in value]
    return {name: filled(one, version) for name, one in value.items()} if isinstance(value, dict) else value


def _ask(server: dict[str, Any], request: Request, version: str, *, is_surrounding: bool) -> list[Any]:
    where = urlsplit(server["base"])
    sent = {"Host": where.netloc, "Accept": "*/*"}
    body = filled(request.body, version)
    if body is not None:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    if request.who is not None:
        secret = server[_NAMES.get(request.who, request.who)]
        is_key = request.who.startswith("key")
        sent["Authorization"] = "Basic " + base64.b64encode(f"{secret}:".encode()).decode() if is_key else f"Bearer {secret}"
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
    path = quote(filled(request.path, version), safe="/?&=%:")
    connection.putrequest(request.method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in (sent | request.headers).items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    found = {name.title().replace("Www-", "WWW-"): value for name, value in answer.getheaders()}
    body = shape(content.replace(server["base"].encode(), b"BASE"), version, is_surrounding=is_surrounding)
    return [answer.status, headers(found, is_surrounding=is_surrounding), body]


def main() -> None:
    server = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    run = format(int(time.time()), "x")
    answers: dict[str, list[Any]] = {}
    for number, (name, requests) in enumerate(sessions().items()):
        is_surrounding = name.startswith(SURROUNDING)
        answers[name] = [_ask(server, one, f"v{run}n{number}q", is_surrounding=is_surrounding) for one in requests]
    ANSWERS.write_text(write_answers(answers), encoding="utf-8")


if __name__ == "__main__":
    main()
