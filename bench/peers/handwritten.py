"""P1's peer: what a good engineer writes in an afternoon. Flask, `task.delay(payload)`, gunicorn's sync workers.

Redis alone holds the job: nothing is deduplicated, and what Redis forgets is lost.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import urllib.request
from typing import Any

from celery import Celery
from flask import Flask, Response, abort, jsonify, request

celery = Celery("handwritten", broker=os.environ.get("REDIS_URL"))
celery.conf.task_ignore_result = True
app = Flask(__name__)
_secret = os.environ.get("GITHUB_WEBHOOK_SECRET", "").encode()


@celery.task(autoretry_for=(OSError,), retry_backoff=True, max_retries=12)  # type: ignore[untyped-decorator]
def create_release(payload: dict[str, Any]) -> None:
    ref = payload["ref"].removeprefix("refs/tags/")
    data = {"version": ref, "projects": ["app"], "commits": [{"id": one["id"]} for one in payload["commits"]]}
    target = urllib.request.Request(os.environ["RELEASES_URL"], data=jsonify(data).data)
    urllib.request.urlopen(target, timeout=10)


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.post("/webhooks/github")
def receive() -> tuple[Response, int]:
    digest = hmac.new(_secret, request.get_data(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(f"sha256={digest}", request.headers.get("X-Hub-Signature-256", "")):
        abort(401)
    create_release.delay(request.get_json())
    return jsonify({"status": "accepted"}), 202
