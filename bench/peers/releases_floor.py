"""P9's floor: the same HTTP server, Flask and database inserting the same rows, and nothing else.

No authentication, no validation, no look-up of what is there, no answer but the version. Authors and the repository are
known beforehand, as they are to the measured server after its first request. SQLAlchemy Core, one transaction a request.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import sqlalchemy as sa
from flask import Flask, request

from releases import bootstrap
from releases.tables.releases import (
    authors,
    commit_files,
    commits,
    release_authors,
    release_commits,
    release_heads,
    release_projects,
    releases,
)
from releases.tables.upsert import add_new
from releases.tenancy import organizations
from shared.infra.asgi import FlaskInAsgi
from shared.infra.database import make_engine
from shared.infra.server import serve

REPOSITORY = "acme/shop"
AUTHORS = 10


def create() -> FlaskInAsgi:
    engine = make_engine(os.environ["RELEASES_DATABASE_URL"])
    bootstrap.SCHEMA.upgrade(engine)
    now = datetime.now(UTC)
    with engine.begin() as connection:
        org, _ = organizations.ensure_organization(connection, "local", now)
        project, _ = organizations.ensure_project(connection, org, "app", now)
        repository, _ = organizations.ensure_repository(connection, org, REPOSITORY, None, None, now)
        rows = [{"organization_id": org, "email": f"author{n}@acme.test", "name": f"Author {n}"} for n in range(AUTHORS)]
        add_new(connection, authors, rows)
        found = connection.execute(sa.select(authors.c.email, authors.c.id))
        author_ids = {row.email: row.id for row in found}
    app = Flask(__name__)

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    @app.post("/api/0/organizations/local/releases/")
    def insert() -> tuple[dict[str, str], int]:
        data = request.get_json()
        now = datetime.now(UTC)
        sent = data["commits"]
        with engine.begin() as connection:
            values = {"organization_id": org, "version": data["version"], "is_archived": False, "date_added": now}
            values |= {"date_sort": now, "commit_count": len(sent)}
            release = connection.execute(sa.insert(releases).values(values).returning(releases.c.id)).scalar_one()
            connection.execute(sa.insert(release_projects).values(release_id=release, project_id=project))
            rows = [
                {
                    "repository_id": repository,
                    "key": commit["id"],
                    "message": commit["message"],
                    "author_id": author_ids[commit["author_email"]],
                    "date_added": datetime.fromisoformat(commit["timestamp"]),
                }
                for commit in sent
            ]
            made = connection.execute(sa.insert(commits).returning(commits.c.key, commits.c.id), rows)
            ids = {row.key: row.id for row in made}
            files = [
                {"commit_id": ids[commit["id"]], "path": file["path"], "type": file["type"]}
                for commit in sent
                for file in commit["patch_set"]
            ]
            connection.execute(sa.insert(commit_files), files)
            links = [{"release_id": release, "position": n, "commit_id": ids[commit["id"]]} for n, commit in enumerate(sent)]
            connection.execute(sa.insert(release_commits), links)
            people = dict.fromkeys(commit["author_email"] for commit in sent)
            named = [{"release_id": release, "position": n, "author_id": author_ids[one]} for n, one in enumerate(people)]
            connection.execute(sa.insert(release_authors), named)
            head = {"release_id": release, "repository_id": repository, "commit_id": ids[sent[0]["id"]]}
            connection.execute(sa.insert(release_heads).values(head))
            last = ids[sent[0]["id"]]
            connection.execute(sa.update(releases).where(releases.c.id == release).values(last_commit_id=last))
        return {"version": data["version"]}, 201

    return FlaskInAsgi(app, refuse=lambda refusal: ([], refusal.detail.encode()))


if __name__ == "__main__":
    workers = 1 if os.environ["RELEASES_DATABASE_URL"].startswith("sqlite") else 2
    serve("bench.peers.releases_floor:create", host="127.0.0.1", port=int(sys.argv[1]), workers=workers)
