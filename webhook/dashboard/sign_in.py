"""Signing in with a token, and out again."""

from __future__ import annotations

from flask import Response, g, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from webhook.dashboard.blueprint import actor, blueprint, gate, page, services
from webhook.dashboard.sessions import COOKIE, LASTS_SECONDS, Session
from webhook.http.client_address import group
from webhook.ops import operations


def _is_secure() -> bool:
    return request.is_secure or request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip().lower() == "https"


def _keep(response: AnyResponse, session: Session) -> AnyResponse:
    response.set_cookie(
        COOKIE,
        gate().sessions.write(session),
        max_age=LASTS_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=_is_secure(),
        path=_path(),
    )
    return response


def _path() -> str:
    """Other apps on the same host get no cookie of ours."""
    return request.script_root or "/"


def _way_back() -> str:
    """Where to go after signing in: an address of our own, never another host's or another app's."""
    wanted = request.values.get("next", "")
    is_own = (
        wanted.startswith(f"{request.script_root}/")
        and not wanted.startswith("//")
        and "\\" not in wanted
        and wanted.isprintable()
    )
    return wanted if is_own and len(wanted) < 2_000 else url_for("dashboard.overview")


def _form(status: int = 200, wrong: str | None = None) -> AnyResponse:
    if g.session is None:
        g.session = gate().sessions.open(None)
    shown = page("sign_in.html", wrong=wrong, way_back=_way_back(), has_ended=request.args.get("ended") == "1")
    shown.status_code = status
    return _keep(shown, g.session)


@blueprint.get("/sign-in")
def show_sign_in() -> AnyResponse:
    if g.session is not None and g.session.role is not None:
        return redirect(_way_back())
    return _form()


@blueprint.post("/sign-in")
def sign_in() -> AnyResponse:
    if wait := gate().guesses.wait(request.remote_addr):
        refused = _form(429, f"Too many wrong tokens from {group(request.remote_addr)}. Try again in {wait} s.")
        refused.headers["Retry-After"] = str(wait)
        return refused
    role = gate().sessions.role_of(request.form.get("token", ""))
    if role is None:
        if gate().guesses.note_wrong(request.remote_addr):
            operations.note(services(), actor(), "sign_in_refused")
        return _form(403, "This is not the token. It is the value of OPS_TOKEN or OPS_READ_TOKEN.")
    g.session = gate().sessions.open(role)  # never the session that was there before
    operations.note(services(), actor(), "sign_in")
    return _keep(redirect(_way_back(), 303), g.session)


@blueprint.post("/sign-out")
def sign_out() -> AnyResponse:
    operations.note(services(), actor(), "sign_out")
    response: Response = make_response(redirect(url_for("dashboard.show_sign_in"), 303))
    response.delete_cookie(COOKIE, path=_path(), httponly=True, samesite="Lax", secure=_is_secure())
    return response
