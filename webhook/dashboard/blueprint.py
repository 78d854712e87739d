"""The way in: who may see which page, the form token of every POST, headers of every answer, faults as pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, g, make_response, redirect, render_template, request, url_for
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from shared.domain.job_states import JobState
from shared.domain.names import clean
from shared.errors import BadParameter, Conflict, NotFound
from shared.infra import logs
from shared.infra.database import reading
from shared.ledger.queries import listings
from shared.ledger.tables import jobs
from webhook.dashboard import formatting
from webhook.dashboard.sessions import COOKIE, Sessions
from webhook.ops.acts import Actor
from webhook.ops.guesses import Guesses
from webhook.services import Services

blueprint = Blueprint(
    "dashboard", __name__, template_folder="templates", static_folder="static", static_url_path="/dashboard-static"
)
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_OPEN = (
    *("dashboard.static", "dashboard.show_sign_in", "dashboard.sign_in"),
    *("dashboard.show_reference", "dashboard.show_problems"),
)
_LONGEST_TRIED = 1_000_000  # bytes of a payload in the playground's form; any other form is short
_FOR_ALL_ROLES = ("dashboard.sign_out",)
_FOR_PROGRAMS = ("/api", "/webhooks", "/metrics", "/healthz", "/readyz", "/openapi.json")
_KINDS = ("application/problem+json", "text/html")  # the first one where both are as welcome: `*/*`

logger = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Gate:
    """What the way in works with; built once by `register`."""

    sessions: Sessions
    guesses: Guesses


def gate() -> Gate:
    found: Gate = current_app.extensions["dashboard"]
    return found


def services() -> Services:
    """The same for the whole of a request, also where other rules come in force meanwhile."""
    found: Services = g.setdefault("services", current_app.extensions["services"])
    return found


@contextmanager
def looking() -> Iterator[Connection]:
    with reading(services().engine).begin() as connection:
        yield connection


@blueprint.before_request
def check() -> AnyResponse | None:
    """Nobody: to the sign-in. A POST: the form's token, then the role."""
    if request.endpoint == "dashboard.static":
        return None
    if not gate().sessions.is_configured:
        return page("unset.html")
    g.session = gate().sessions.read(request.cookies.get(COOKIE))
    role = g.session.role if g.session else None
    if request.endpoint == "dashboard.try_rules" and role == "operator":
        request.max_form_memory_size = _LONGEST_TRIED
    if request.endpoint not in _OPEN and role is None:
        if request.method == "POST":  # back to the page with the form, whose token is another one by then
            return redirect(url_for("dashboard.show_sign_in", next=_page_before(), ended=1), 303)
        return redirect(url_for("dashboard.show_sign_in", next=request.script_root + request.full_path.rstrip("?")))
    if request.method == "POST":
        if g.session is None or not gate().sessions.is_form_token(g.session, request.form.get("form_token", "")):
            return fault(403, "This form is not valid any more", "Go back, load the page again and repeat it.")
        if role == "viewer" and request.endpoint not in _FOR_ALL_ROLES:
            return fault(403, "You may only look", "This needs an operator: sign in with OPS_TOKEN.")
    return None


def _page_before() -> str:
    """The page of ours that the request was sent from; signing in checks the address again."""
    sent_from = urlsplit(request.referrer or "")
    path = f"{sent_from.path}?{sent_from.query}" if sent_from.query else sent_from.path
    return path if sent_from.netloc == request.host and path else url_for("dashboard.overview")


def unknown_address(problem: HTTPException) -> AnyResponse | None:
    """A page for a browser that asked for what does not exist; None for programs, which get the problem's JSON."""
    is_page = not request.path.startswith(_FOR_PROGRAMS) and request.accept_mimetypes.best_match(_KINDS) == "text/html"
    if not is_page or not gate().sessions.is_configured:
        return None
    g.session = gate().sessions.read(request.cookies.get(COOKIE))
    if problem.code == 405:
        return protect(fault(405, "Nothing to see here", "This address only takes a form. Go back to the page that has it."))
    return protect(fault(404, "Not found", "There is nothing at this address. Search for what you were looking for."))


@blueprint.after_request
def protect(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.endpoint != "dashboard.static":
        response.headers["Cache-Control"] = "no-store"
    return response


def page(template: str, /, **shown: Any) -> Response:
    """A page with what every page shows: who is signed in, and how many jobs failed."""
    session = g.get("session")
    role = session.role if session else None
    if role is not None and "failed_jobs" not in shown:
        with looking() as connection:
            shown["failed_jobs"] = listings.count_up_to(connection, jobs.c.status, JobState.FAILED)
    token = gate().sessions.form_token(session) if session else ""
    html = render_template(f"dashboard/{template}", role=role, form_token=token, now=formatting.now(), **shown)
    try:
        return make_response(html.encode())
    except UnicodeEncodeError:  # a payload may hold lone surrogates, which are no text
        return make_response(clean(html).encode())


def fault(status: int, title: str, text: str) -> Response:
    """A page that says what went wrong, and reads nothing from the database."""
    response = page("fault.html", title=title, text=text, failed_jobs=0)
    response.status_code = status
    return response


def actor() -> Actor:
    """Who sent this request; `-` for somebody who is not signed in."""
    role = g.session.role if g.get("session") and g.session.role else "-"
    return Actor(door="dashboard", role=role, address=request.remote_addr)


@blueprint.errorhandler(BadParameter)
def _bad(problem: BadParameter) -> Response:
    return fault(400, "That cannot be read", f"{str(problem)[:1].upper()}{str(problem)[1:]}.")


@blueprint.errorhandler(NotFound)
def _missing(problem: NotFound) -> Response:
    return fault(404, "Not found", f"{str(problem)[:1].upper()}{str(problem)[1:]}. It may have expired.")


@blueprint.errorhandler(Conflict)
def _conflict(problem: Conflict) -> Response:
    return fault(409, "Not possible now", f"{str(problem)[:1].upper()}{str(problem)[1:]}.")


@blueprint.errorhandler(RequestEntityTooLarge)
def _too_long(_: RequestEntityTooLarge) -> Response:
    return fault(413, "Too long for a form", "Use the API or the command line for what is as long as this.")


@blueprint.errorhandler(SQLAlchemyError)
def _storage(problem: SQLAlchemyError) -> Response:
    logger.error("dashboard.database", error=type(problem).__name__)
    return fault(503, "The database does not answer", "Deliveries cannot be stored just now either. /readyz tells more.")
