"""The Flask app: routes, the error table, the headers of every answer. The composition root of the embedded endpoint."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from flask import Flask, Response, request
from sqlalchemy.engine import Engine
from werkzeug.exceptions import HTTPException

from releases.artifacts import service as artifacts
from releases.artifacts.blobs import Blobs, is_full
from releases.artifacts.bounds import Bounds
from releases.artifacts.sweep import Sweeper
from releases.errors import Refused, full, missing
from releases.http import headers, routing
from releases.http.rate_limit import install as install_rate_limit
from releases.http.request import Server, answer, unavailable
from releases.pages import routes as pages
from releases.refs_resolver.resolver import Finder
from releases.routes import (
    artifact_bundles,
    commits,
    deploys,
    index,
    organizations,
    project_releases,
    release_files,
    releases,
    uploads,
)
from shared.infra import logs, visible_text
from shared.infra.database import reading
from shared.infra.postgres import is_pooled

_API = "/api/0"
_LOCK_WAIT = "SET lock_timeout = '10s'"


class ReleasesApp(Flask):
    """Flask, and a `stop` for what it holds."""

    finder: Finder
    sweeper: Sweeper | None = None

    def stop(self) -> None:
        self.finder.stop()
        if self.sweeper is not None:
            self.sweeper.stop()
        server: Server = self.extensions["releases"]
        server.engine.dispose()


def create_app(
    engine: Engine,
    *,
    rate_limit: int | None = None,
    trusts_local: bool = True,
    refuses_shared: bool = False,
    kept: tuple[Path, Bounds] | None = None,
) -> ReleasesApp:
    """The app over a database whose schema is up to date. `rate_limit`: requests a second, None for none.

    `trusts_local`: the pages ask nobody on this machine to sign in. `refuses_shared`: a credential limited to projects
    changes no release that other projects have, too. `kept`: where artifacts are kept and how much; None for no uploads.
    """
    app = ReleasesApp(__name__, static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    if engine.dialect.name == "postgresql":
        sa.event.listen(engine, "connect", _limit_lock_waits)
    app.finder = Finder(engine)
    app.extensions["releases"] = Server(
        engine=engine,
        reader=reading(engine),
        clock=_now,
        trusts_local=trusts_local,
        after_commit=app.finder.ask,
        refuses_shared=refuses_shared,
    )
    app.register_blueprint(index.routes)
    for module in (releases, commits, deploys, project_releases, organizations):
        app.register_blueprint(module.routes, url_prefix=_API)
    if kept is not None:
        _keep_artifacts(app, engine, *kept)
    app.jinja_env.finalize = visible_text.in_page
    app.jinja_env.filters["in_attribute"] = visible_text.in_attribute
    app.register_blueprint(pages.routes)
    if rate_limit is not None:
        install_rate_limit(app, rate_limit, _now)
    headers.install(app)
    routing.install(app)
    _handle_errors(app)
    app.finder.resume()
    return app


def _keep_artifacts(app: ReleasesApp, engine: Engine, folder: Path, bounds: Bounds) -> None:
    blobs = Blobs(folder, bounds)
    app.sweeper = Sweeper(engine, blobs, _now)
    app.extensions[artifacts.KEY] = artifacts.Artifacts(blobs, app.sweeper)
    app.request_class = artifacts.SpoolingRequest
    for module in (uploads, release_files, artifact_bundles):
        app.register_blueprint(module.routes, url_prefix=_API)
    app.sweeper.ask()


def _now() -> datetime:
    return datetime.now(UTC)


def _limit_lock_waits(connection: sa.engine.interfaces.DBAPIConnection, _: object) -> None:
    if is_pooled(connection):  # others get the session next; the limit of every statement holds there
        return
    cursor = connection.cursor()
    cursor.execute(_LOCK_WAIT)
    cursor.close()
    connection.commit()


def _handle_errors(app: Flask) -> None:
    app.register_error_handler(Refused, _render_refused)
    app.register_error_handler(HTTPException, _render_http)
    app.register_error_handler(sa.exc.OperationalError, _render_unavailable)
    app.register_error_handler(OSError, _render_disk)
    app.register_error_handler(Exception, _render_unplanned)


def _render_refused(refused: Refused) -> Response:
    response = answer(refused.body, refused.status)
    response.headers.update(refused.headers)
    return response


def _render_http(problem: HTTPException) -> Response:
    """What the framework itself refuses: an unknown address, another method."""
    if problem.code == 404:
        return _render_refused(missing())
    if problem.code == 405:
        try:
            return routing.refuse_method()
        except Refused as refused:
            return _render_refused(refused)
    return answer({"detail": problem.description or problem.name}, problem.code or 500)


def _render_unavailable(problem: sa.exc.OperationalError) -> Response:
    logs.get(__name__).warning("releases.database_unavailable", error=str(problem.orig))
    return _render_refused(unavailable(problem))


def _render_disk(problem: OSError) -> Response:
    """Files of a form are written while Flask reads it, so that a full disk is met anywhere."""
    return _render_refused(full("the disk")) if is_full(problem) else _render_unplanned(problem)


def _render_unplanned(problem: Exception) -> Response:
    number = uuid.uuid4().hex
    logs.get(__name__).error("releases.request_failed", error_id=number, path=request.path, exc_info=problem)
    return answer({"detail": "Internal Error", "errorId": number}, 500)
