"""The SELECTs that store and serializers share: commits with repository and author, deploys with environment."""

from __future__ import annotations

import sqlalchemy as sa

from releases.tables.releases import authors, commits, deploys, environments, releases, repositories
from releases.tables.tenants import members, users

USER_COLUMNS = (
    users.c.id.label("user_id"),
    users.c.username,
    users.c.email.label("user_email"),
    users.c.name.label("user_name"),
    users.c.date_added.label("user_joined"),
)

# An author whose e-mail is an active member's is shown as that member.
MEMBERS = sa.join(users, members, sa.and_(members.c.user_id == users.c.id, users.c.is_active.is_(True)))
IS_MEMBER = sa.and_(users.c.email == authors.c.email, members.c.organization_id == authors.c.organization_id)

COMMITS = sa.select(
    commits.c.id.label("commit_id"),
    commits.c.key,
    commits.c.message,
    commits.c.date_added.label("commit_date"),
    repositories.c.id.label("repository_id"),
    repositories.c.name.label("repository_name"),
    repositories.c.url.label("repository_url"),
    repositories.c.provider,
    repositories.c.date_added.label("repository_date"),
    authors.c.email.label("author_email"),
    authors.c.name.label("author_name"),
    *USER_COLUMNS,
).select_from(
    commits.join(repositories, repositories.c.id == commits.c.repository_id)
    .outerjoin(authors, authors.c.id == commits.c.author_id)
    .outerjoin(MEMBERS, IS_MEMBER)
)
# The release that a commit is part of, as it is named beside the commit.
RELEASE_NAMES = (
    releases.c.id.label("release_id"),
    releases.c.version,
    releases.c.ref,
    releases.c.url.label("release_url"),
    releases.c.date_released,
    releases.c.date_added.label("release_date"),
)

BY_IDS = COMMITS.where(commits.c.id.in_(sa.bindparam("ids", expanding=True)))

DEPLOYS = sa.select(deploys, environments.c.name.label("environment")).join(
    environments, environments.c.id == deploys.c.environment_id
)
