"""Organizations, projects and the one who asks, as the API shows them. What belongs to events or teams is empty. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import RowMapping

from releases.serializers.commits import AVATAR, Json, render_user
from releases.validation.times import render_time

_FEATURES = ["releases"]
_NO_EVENTS: Json = {
    "firstEvent": None,
    "firstTransactionEvent": False,
    "hasMinifiedStackTrace": False,
    "hasMonitors": False,
    "hasProfiles": False,
    "hasReplays": False,
    "hasSessions": False,
}


def render_organization(row: RowMapping, base: str) -> Json:
    """An organization in a list. `base`: the address that the client called, without a last slash."""
    return {
        "id": str(row["id"]),
        "slug": row["slug"],
        "status": {"id": "active", "name": "active"},
        "name": row["name"],
        "dateCreated": render_time(row["date_added"]),
        "isEarlyAdopter": False,
        "require2FA": False,
        "requireEmailVerification": False,
        "avatar": AVATAR,
        "features": [],
        "links": {"organizationUrl": base, "regionUrl": base},
        "hasAuthProvider": False,
    }


def render_organization_detail(row: RowMapping, base: str, scopes: Sequence[str], projects: list[Json]) -> Json:
    return {
        **render_organization(row, base),
        "experiments": {},
        "isDefault": False,
        "defaultRole": "member",
        "openMembership": True,
        "access": list(scopes),
        "onboardingTasks": [],
        "teams": [],
        "projects": projects,
    }


def _render_project(row: RowMapping, scopes: Sequence[str]) -> Json:
    return {
        "id": str(row["id"]),
        "slug": row["slug"],
        "name": row["name"],
        "platform": row["platform"],
        "dateCreated": render_time(row["date_added"]),
        "isBookmarked": False,
        "isMember": True,
        "features": _FEATURES,
        "access": list(scopes),
        "hasAccess": True,
        **_NO_EVENTS,
    }


def render_listed_project(row: RowMapping, scopes: Sequence[str], latest: str | None, deploys: Sequence[RowMapping]) -> Json:
    """A project in its organization's list. `latest`: its newest version; `deploys`: the last one in each environment."""
    shown = {one["name"]: {"version": one["version"], "dateFinished": render_time(one["date_finished"])} for one in deploys}
    return {
        "team": None,
        "teams": [],
        **_render_project(row, scopes),
        "environments": [one["name"] for one in deploys],
        "eventProcessing": {"symbolicationDegraded": False},
        "platforms": [row["platform"]] if row["platform"] else [],
        "latestRelease": {"version": latest} if latest is not None else None,
        "hasUserReports": False,
        "latestDeploys": shown or None,
    }


def render_project_of(row: RowMapping, scopes: Sequence[str], organization: Json) -> Json:
    """A project beside its organization, in the list of every project."""
    return {
        **_render_project(row, scopes),
        "isInternal": False,
        "isPublic": False,
        "avatar": AVATAR,
        "color": "#" + hashlib.sha256(row["slug"].encode()).hexdigest()[:6],
        "status": "active",
        "organization": organization,
    }


def render_project_detail(row: RowMapping, scopes: Sequence[str], organization: Json, latest: str | None) -> Json:
    return {
        **render_project_of(row, scopes, organization),
        "team": None,
        "teams": [],
        "latestRelease": {"version": latest} if latest is not None else None,
        "options": {},
        "plugins": [],
        "platforms": [row["platform"]] if row["platform"] else [],
        "processingIssues": 0,
        "defaultEnvironment": None,
        "eventProcessing": {"symbolicationDegraded": False},
    }


def render_environment(row: RowMapping) -> Json:
    return {"id": str(row["id"]), "name": row["name"]}


def render_self(row: Mapping[str, Any]) -> Json:
    """The one who asks, from a row with USER_COLUMNS."""
    return {
        **render_user(row),
        "options": {
            "theme": "light",
            "language": "en",
            "stacktraceOrder": -1,
            "timezone": "UTC",
            "clock24Hours": False,
        },
        "flags": {"newsletter_consent_prompt": False},
        "identities": [],
    }
