"""Databases of earlier versions: migrated with every row and number kept."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from releases.app import create_app
from releases.bootstrap import SCHEMA, seed
from shared.config.settings import from_env
from shared.infra.database import make_engine
from tests.releases.caller import Caller
from tests.releases.conftest import ENVIRON, TOKEN


def _migrate(engine: Engine, revision: str) -> None:
    """As `Schema.upgrade` does, to an earlier revision."""
    with engine.begin() as connection:
        SCHEMA._run(connection, revision)


def _counts(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        names = [name for name in sa.inspect(engine).get_table_names() if name.startswith("rel_")]
        return {name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one() for name in names}


def _fill(engine: Engine) -> Caller:
    seed(engine, from_env(ENVIRON))
    api = Caller(create_app(engine), TOKEN)
    for version in ("1.0", "2.0", "3.0"):
        commits = [
            {"id": f"c{version}", "repository": "acme/shop", "author_name": "Ann", "patch_set": [{"path": "a", "type": "A"}]}
        ]
        api.made(version, commits=commits)
        assert api.post(f"releases/{version}/deploys/", {"environment": "production"}).status_code == 201
    return api


def test_r0004_keeps_every_row_and_number_and_gives_no_number_twice(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'releases.sqlite3'}")
    _migrate(engine, "r0003")
    api = _fill(engine)
    before, shown = _counts(engine), [api.shown(version) for version in ("1.0", "2.0", "3.0")]
    SCHEMA.upgrade(engine)
    after = _counts(engine)
    assert {name: after[name] for name in before} == before
    assert [api.shown(version) for version in ("1.0", "2.0", "3.0")] == shown
    assert api.delete("releases/3.0/").status_code == 204
    assert api.made("4.0")["id"] > shown[2]["id"]
    assert int(api.post("releases/4.0/deploys/", {"environment": "production"}).json["id"]) > int(shown[2]["lastDeploy"]["id"])
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    engine.dispose()


def test_ids_are_never_given_again_after_delete(either_api: Caller) -> None:
    first = either_api.made("1.0")["id"]
    assert either_api.delete("releases/1.0/").status_code == 204
    assert either_api.made("1.0")["id"] > first
