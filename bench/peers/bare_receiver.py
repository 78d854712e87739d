"""P2's limit: the same HTTP server and Flask checking the HMAC and parsing the JSON, and nothing else. Nothing is kept."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys

from flask import Flask, Response, abort, request

from shared.infra.asgi import FlaskInAsgi
from shared.infra.server import serve


def create() -> FlaskInAsgi:
    secret = os.environ["GITHUB_WEBHOOK_SECRET"].encode()
    app = Flask(__name__)

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    @app.post("/webhooks/github")
    def receive() -> Response:
        body = request.get_data(cache=False)
        digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(f"sha256={digest}", request.headers.get("X-Hub-Signature-256", "")):
            abort(401)
        payload = json.loads(body)
        return Response(json.dumps({"ref": payload["ref"]}), content_type="application/json")

    return FlaskInAsgi(app, refuse=lambda refusal: ([], refusal.detail.encode()))


if __name__ == "__main__":
    serve("bench.peers.bare_receiver:create", host="127.0.0.1", port=int(sys.argv[1]), workers=2)
