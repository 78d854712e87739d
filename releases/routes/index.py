"""GET /api/0/: who am I; its description; and GET /healthz: is this process alive."""

from __future__ import annotations

from flask import Blueprint, Response, request

from releases.http.openapi import describe
from releases.http.request import answer, server
from releases.serializers.organizations import render_self
from releases.tenancy.authentication import authenticate

routes = Blueprint("index", __name__)


@routes.get("/api/0/")
def show_index() -> Response:
    """Anyone may ask; credentials that are sent must be good."""
    header = request.headers.get("Authorization")
    if header is None:
        return answer({"version": "0", "auth": None, "user": None})
    now = server().clock()
    with server().reader.begin() as connection:
        caller = authenticate(connection, header, now)
    user = None
    if caller.user is not None:
        user = render_self(caller.user_columns())
    return answer({"version": "0", "auth": {"scopes": list(caller.scopes)}, "user": user})


@routes.get("/healthz")
def show_health() -> Response:
    return answer({"status": "ok"})


@routes.get("/api/0/openapi.json")
def show_description() -> Response:
    return answer(describe())
