"""The tables of releases, commits and deploys, as SQLAlchemy Core; runs no statement.

Small tables that hang on a release are keyed by it and have no id of their own: on SQLite their rows lie in key order,
so that reading one release's commits is one range of one b-tree.
"""

from __future__ import annotations

import sqlalchemy as sa

from releases.tables.tenants import Id, metadata, moment, reference, row_id

repositories = sa.Table(
    "rel_repositories",
    metadata,
    row_id(),
    reference("organization_id", "rel_organizations"),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("url", sa.Text),
    sa.Column("provider", sa.String(64)),
    moment(),
    sa.UniqueConstraint("organization_id", "name"),
)

authors = sa.Table(
    "rel_authors",
    metadata,
    row_id(),
    reference("organization_id", "rel_organizations"),
    sa.Column("email", sa.String(75), nullable=False),
    sa.Column("name", sa.String(128)),
    sa.UniqueConstraint("organization_id", "email"),
)

commits = sa.Table(
    "rel_commits",
    metadata,
    row_id(),
    reference("repository_id", "rel_repositories"),
    sa.Column("key", sa.String(64), nullable=False),
    sa.Column("message", sa.Text),
    reference("author_id", "rel_authors", nullable=True, on_delete="SET NULL"),
    moment(),
    sa.UniqueConstraint("repository_id", "key"),
)

commit_files = sa.Table(
    "rel_commit_files",
    metadata,
    reference("commit_id", "rel_commits", key=True),
    sa.Column("path", sa.String(510), primary_key=True),
    sa.Column("type", sa.String(1), nullable=False),
    sqlite_with_rowid=False,
)

releases = sa.Table(
    "rel_releases",
    metadata,
    row_id(),
    reference("organization_id", "rel_organizations"),
    sa.Column("version", sa.String(200), nullable=False),
    sa.Column("is_archived", sa.Boolean, nullable=False, default=False),
    sa.Column("ref", sa.String(200)),
    sa.Column("url", sa.Text),
    moment(),
    moment("date_released", nullable=True),
    moment("date_sort"),  # date_released, else date_added: what lists of one project are ordered by
    reference("owner_id", "rel_users", nullable=True, on_delete="SET NULL"),
    sa.Column("user_agent", sa.String(256)),
    sa.Column("commit_count", sa.Integer),  # null until commits are set, as in the documented example
    sa.Column("last_commit_id", Id),
    sa.Column("deploy_count", sa.Integer),
    sa.Column("last_deploy_id", Id),
    sa.Column("package", sa.String(200)),
    *(sa.Column(name, sa.BigInteger) for name in ("major", "minor", "patch", "revision")),
    sa.Column("prerelease", sa.String(200)),
    sa.Column("build_code", sa.String(200)),
    sa.Column("build_number", sa.BigInteger),
    sa.UniqueConstraint("organization_id", "version"),
    sa.Index("ix_rel_releases_organization_id_date_added_id", "organization_id", "date_added", "id"),
    sa.Index("ix_rel_releases_organization_id_date_sort_id", "organization_id", "date_sort", "id"),
    sqlite_autoincrement=True,  # a number is never given twice
)

release_projects = sa.Table(
    "rel_release_projects",
    metadata,
    reference("release_id", "rel_releases", key=True),
    reference("project_id", "rel_projects", key=True),
    sa.Index("ix_rel_release_projects_project_id_release_id", "project_id", "release_id"),
    sqlite_with_rowid=False,
)

release_commits = sa.Table(
    "rel_release_commits",
    metadata,
    reference("release_id", "rel_releases", key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    reference("commit_id", "rel_commits"),
    sa.Index("ix_rel_release_commits_commit_id", "commit_id"),
    sqlite_with_rowid=False,
)

release_authors = sa.Table(
    "rel_release_authors",
    metadata,
    reference("release_id", "rel_releases", key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    reference("author_id", "rel_authors"),
    sqlite_with_rowid=False,
)

release_heads = sa.Table(
    "rel_release_heads",
    metadata,
    reference("release_id", "rel_releases", key=True),
    reference("repository_id", "rel_repositories", key=True),
    reference("commit_id", "rel_commits"),
    sa.Index("ix_rel_release_heads_repository_id_release_id", "repository_id", "release_id"),
    sqlite_with_rowid=False,
)

release_ranges = sa.Table(
    "rel_release_ranges",  # refs whose commits are still to be found; a row goes when they are
    metadata,
    reference("release_id", "rel_releases", key=True),
    reference("repository_id", "rel_repositories", key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("start_key", sa.String(64)),
    sa.Column("end_key", sa.String(64), nullable=False),
    sa.Column("note", sa.Text),  # why they could not be found yet, null before the first try
    sa.Index("ix_rel_release_ranges_repository_id_release_id", "repository_id", "release_id"),
)

activities = sa.Table(
    "rel_activities",
    metadata,
    row_id(),
    reference("release_id", "rel_releases"),
    reference("project_id", "rel_projects"),
    sa.Column("kind", sa.String(16), nullable=False),
    moment(),
    sa.Index("ix_rel_activities_release_id", "release_id"),
)

environments = sa.Table(
    "rel_environments",
    metadata,
    row_id(),
    reference("organization_id", "rel_organizations"),
    sa.Column("name", sa.String(64), nullable=False),
    sa.UniqueConstraint("organization_id", "name"),
)

deploys = sa.Table(
    "rel_deploys",
    metadata,
    row_id(),
    reference("release_id", "rel_releases"),
    reference("environment_id", "rel_environments"),
    sa.Column("name", sa.String(64)),
    sa.Column("url", sa.Text),
    moment("date_started", nullable=True),
    moment("date_finished"),
    moment(),
    sa.Index("ix_rel_deploys_release_id_date_finished", "release_id", "date_finished"),
    sqlite_autoincrement=True,
)

last_deploys = sa.Table(
    "rel_last_deploys",  # the newest deploy of a release per project and environment
    metadata,
    reference("release_id", "rel_releases", key=True),
    reference("project_id", "rel_projects", key=True),
    reference("environment_id", "rel_environments", key=True),
    reference("deploy_id", "rel_deploys"),
    sa.Index("ix_rel_last_deploys_environment_id_release_id", "environment_id", "release_id"),
    sa.Index("ix_rel_last_deploys_project_id_environment_id_deploy_id", "project_id", "environment_id", "deploy_id"),
    sqlite_with_rowid=False,
)
