"""A client of the releases API over Flask's test client; keeps who is calling."""

from __future__ import annotations

import base64
import json
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from releases.app import ReleasesApp


class Caller:
    """Calls of one credential. Paths without a leading slash are below the organization."""

    def __init__(
        self, app: ReleasesApp, secret: str | None, *, kind: str = "token", org: str = "acme", credential_id: int = 0
    ) -> None:
        self.app = app
        self.org = org
        self.secret = secret
        self.credential_id = credential_id
        self._client: FlaskClient = app.test_client()
        self._header = {} if secret is None else {"Authorization": header(secret, kind)}

    def call(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str) -> TestResponse:
        address = path if path.startswith("/") else f"/api/0/organizations/{self.org}/{path}"
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        sent = {**self._header, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        return self._client.open(address, method=method, data=data, headers=sent, buffered=True)

    def get(self, path: str, **headers: Any) -> TestResponse:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: Any) -> TestResponse:
        return self.call("POST", path, body, **headers)

    def put(self, path: str, body: Any) -> TestResponse:
        return self.call("PUT", path, body)

    def delete(self, path: str) -> TestResponse:
        return self.call("DELETE", path)

    def release(self, version: str = "1.0", **fields: Any) -> TestResponse:
        """POST a release of project shop, unless `projects` says otherwise."""
        return self.post("releases/", {"version": version, "projects": ["shop"], **fields})

    def made(self, version: Any = "1.0", **fields: Any) -> Any:
        """The same, which must be well."""
        answer = self.release(version, **fields)
        assert answer.status_code in (201, 208), answer.text
        return answer.json

    def shown(self, version: str = "1.0") -> Any:
        answer = self.get(f"releases/{version}/")
        assert answer.status_code == 200, answer.text
        return answer.json

    def commits(self, version: str = "1.0") -> Any:
        answer = self.get(f"releases/{version}/commits/")
        assert answer.status_code == 200, answer.text
        return answer.json

    def settle(self) -> None:
        """Until refs that can become commits have."""
        self.app.finder.wait()


def header(secret: str, kind: str = "token") -> str:
    if kind == "key":
        return "Basic " + base64.b64encode(f"{secret}:".encode()).decode()
    return f"Bearer {secret}"
