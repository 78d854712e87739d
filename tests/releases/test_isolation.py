"""A credential that is limited to a project sees and changes nothing of another, whatever it asks by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from releases import bootstrap
from releases.app import create_app
from releases.tenancy import organizations
from shared.config.settings import from_env
from tests.releases.caller import Caller
from tests.releases.conftest import ENVIRON, TOKEN

Grant = Callable[..., Caller]
PUMP = "/api/0/projects/acme/pump-station/"
SHOP = "/api/0/projects/acme/shop/"
COMMIT = {"id": "c1", "repository": "acme/all"}


@pytest.fixture
def limited(api: Caller, grant: Grant) -> Caller:
    """A token of project shop. There are releases of shop, of the pump station, and of both, with deploys and one commit."""
    api.made("shop@1", commits=[COMMIT])
    api.made("pump@1", projects=["pump-station"], commits=[COMMIT])
    api.made("both@1", projects=["shop", "pump-station"], commits=[COMMIT])
    for version, environment, projects in (
        ("shop@1", "production", ["shop"]),
        ("pump@1", "secret", ["pump-station"]),
        ("both@1", "shop-only", ["shop"]),
        ("both@1", "secret", ["pump-station"]),
    ):
        body = {"environment": environment, "projects": projects}
        assert api.post(f"releases/{version}/deploys/", body).status_code == 201
    return grant(projects=["shop"])


READS = [
    *("releases/", "releases/?status=", "releases/?flatten=1", "releases/?project=-1", "releases/?projectSlug=$all"),
    *("releases/shop@1/", "releases/both@1/", "releases/both@1/?project=-1", "releases/both@1/commits/"),
    *("releases/both@1/meta/", "releases/both@1/deploys/", "releases/both@1/deploys/?project=-1"),
    *("releases/both@1/previous-with-commits/", "projects/", "environments/", "/api/0/organizations/acme/"),
    *(
        "/api/0/projects/",
        f"{SHOP}environments/",
        f"{SHOP}releases/",
        f"{SHOP}releases/both@1/",
        f"{SHOP}releases/both@1/commits/",
    ),
]


@pytest.mark.parametrize("path", READS)
def test_nothing_read_names_another_project_its_release_or_its_environment(limited: Caller, path: str) -> None:
    answer = limited.get(path)
    assert answer.status_code == 200, answer.text
    for hidden in ("pump", "secret"):
        assert hidden not in answer.text


REFUSED = [
    *[(f"releases/pump@1/{part}", 404) for part in ("", "commits/", "commitfiles/", "meta/", "resolved/", "deploys/")],
    *[(f"{PUMP}{part}", 403) for part in ("", "environments/", "releases/", "releases/both@1/", "releases/both@1/commits/")],
    *[(f"{path}?project=pump-station", 403) for path in ("releases/", "releases/both@1/", "releases/both@1/deploys/")],
    *[("releases/?projectSlug=pump-station", 403), ("releases/both@1/commits/?projectSlug=pump-station", 403)],
    *[("releases/?environment=secret", 404), (f"{SHOP}environments/secret/", 404)],
]


@pytest.mark.parametrize(("path", "status"), REFUSED)
def test_what_is_asked_of_another_project_is_refused(limited: Caller, path: str, status: int) -> None:
    assert limited.get(path).status_code == status


def test_neighbours_are_those_of_visible_projects(limited: Caller) -> None:
    meta = limited.get("releases/both@1/?project=shop").json["currentProjectMeta"]
    assert (meta["prevReleaseVersion"], meta["nextReleaseVersion"]) == ("shop@1", None)
    assert meta["firstReleaseVersion"] == "shop@1"


def test_a_renamed_project_is_not_revealed(limited: Caller, database: Engine) -> None:
    with database.begin() as connection:
        assert organizations.rename_project(connection, 1, "pump-station", "pump-secret")
    answer = limited.get(PUMP)
    assert (answer.status_code, "secret" in answer.text) == (403, False)


WRITES: list[tuple[str, str, Any, int]] = [
    ("PUT", "releases/pump@1/", {"ref": "x"}, 404),
    ("DELETE", "releases/pump@1/", None, 404),
    ("POST", "releases/pump@1/deploys/", {"environment": "e"}, 404),
    ("POST", "releases/both@1/deploys/", {"environment": "e"}, 404),
    ("POST", "releases/shop@1/deploys/", {"environment": "e", "projects": ["pump-station"]}, 400),
    ("POST", "releases/", {"version": "pump@1", "projects": ["shop"]}, 400),
    ("POST", "releases/", {"version": "both@1", "projects": ["shop"]}, 400),
    ("POST", "releases/", {"version": "new@1", "projects": ["pump-station"]}, 400),
    ("POST", f"{PUMP}releases/", {"version": "new@1"}, 403),
    ("PUT", f"{PUMP}releases/both@1/", {"ref": "x"}, 403),
    ("DELETE", f"{PUMP}releases/both@1/", None, 403),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), WRITES)
def test_nothing_of_another_project_is_changed(
    limited: Caller, api: Caller, method: str, path: str, body: Any, status: int
) -> None:
    before = api.get("releases/?status=").json
    answer = limited.call(method, path, body)
    assert (answer.status_code, "secret" in answer.text) == (status, False), answer.text
    assert api.get("releases/?status=").json == before


SHARED: list[tuple[str, str, Any]] = [
    ("PUT", "releases/both@1/", {"ref": "x"}),
    ("DELETE", "releases/both@1/", None),
    ("PUT", f"{SHOP}releases/both@1/", {"ref": "x"}),
    ("DELETE", f"{SHOP}releases/both@1/", None),
    ("POST", f"{SHOP}releases/", {"version": "pump@1"}),
]


@pytest.mark.parametrize(("method", "path", "body"), SHARED)
def test_a_shared_release_may_be_changed_as_in_the_original(limited: Caller, method: str, path: str, body: Any) -> None:
    answer = limited.call(method, path, body)
    assert answer.status_code in (200, 201, 204)
    assert "pump-station" not in answer.text


@pytest.fixture
def strict(limited: Caller, database: Engine) -> Iterator[Caller]:
    """The same token, at a server with RELEASES_SHARED_RELEASES=refuse."""
    app = create_app(database, refuses_shared=True)
    yield Caller(app, limited.secret)
    app.stop()


@pytest.mark.parametrize(("method", "path", "body"), SHARED)
def test_a_shared_release_is_left_alone_where_the_setting_says_so(
    strict: Caller, api: Caller, method: str, path: str, body: Any
) -> None:
    before = api.get("releases/?status=").json
    assert strict.call(method, path, body).status_code in (400, 403)
    assert api.get("releases/?status=").json == before
    assert strict.put("releases/shop@1/", {"ref": "x"}).status_code == 200


def test_the_setting_limits_no_credential_that_sees_every_project(database: Engine) -> None:
    bootstrap.seed(database, from_env(ENVIRON))
    app = create_app(database, refuses_shared=True)
    caller = Caller(app, TOKEN)
    caller.made(projects=["shop", "pump-station"])
    assert caller.put("releases/1.0/", {"ref": "x"}).status_code == 200
    app.stop()
