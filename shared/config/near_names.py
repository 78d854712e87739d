"""Variables that are not ours and look like one of ours: nobody would read them, and nobody would say so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

OURS = frozenset(
    {
        "HOST",
        "PORT",
        "RELEASES_PORT",
        "DATA_DIR",
        "DATABASE_URL",
        "DATABASE_CONNECTIONS",
        "RELEASES_DATABASE_URL",
        "BROKER_URL",
        "REDIS_URL",
        "WEB_CONCURRENCY",
        "WORKER_CONCURRENCY",
        "TRUSTED_PROXIES",
        "GITHUB_WEBHOOK_SECRET",
        "GITLAB_WEBHOOK_SECRET",
        "GITHUB_TOKEN",
        "GITLAB_TOKEN",
        "GITHUB_API_URL",
        "GITLAB_URL",
        "SENTRY_URL",
        "SENTRY_AUTH_TOKEN",
        "SENTRY_ORG",
        "SENTRY_PROJECT",
        "TAGSHIP_CONFIG",
        "OPS_TOKEN",
        "OPS_READ_TOKEN",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "RELEASES_RATE_LIMIT",
        "RELEASES_SHARED_RELEASES",
        "RELEASES_ARTIFACTS_DIR",
        "RELEASES_ARTIFACTS_QUOTA",
        "RELEASES_PAGES",
    }
)
# What people write instead. SENTRY_DSN, SENTRY_RELEASE and SENTRY_ENVIRONMENT are other programs' and mean something else.
_OTHER_WORDS = {
    "SENTRY_ORGANIZATION": "SENTRY_ORG",
    "SENTRY_ORGANISATION": "SENTRY_ORG",
    "SENTRY_ORG_SLUG": "SENTRY_ORG",
    "SENTRY_PROJECT_SLUG": "SENTRY_PROJECT",
    "SENTRY_TOKEN": "SENTRY_AUTH_TOKEN",
    "SENTRY_API_TOKEN": "SENTRY_AUTH_TOKEN",
    "SENTRY_BASE_URL": "SENTRY_URL",
    "SENTRY_HOST": "SENTRY_URL",
    "GITHUB_SECRET": "GITHUB_WEBHOOK_SECRET",
    "GITLAB_SECRET": "GITLAB_WEBHOOK_SECRET",
    "GITLAB_WEBHOOK_TOKEN": "GITLAB_WEBHOOK_SECRET",
    "GITHUB_URL": "GITHUB_API_URL",
    "GITLAB_API_URL": "GITLAB_URL",
    "CELERY_BROKER_URL": "BROKER_URL",
    "TAGSHIP_CONFIG_FILE": "TAGSHIP_CONFIG",
    "RELEASES_ARTIFACT_DIR": "RELEASES_ARTIFACTS_DIR",
}
_SHORTEST = 9  # a letter more or less makes another word of a short name: PORTS, HOSTS


def near_names(environ: Mapping[str, str], config: Path | None) -> Iterator[str]:
    """A sentence for each variable that is meant to be one of ours, which is not set. Names that the configuration file uses
    itself (`token_env`) are known."""
    own = {*OURS, *_names_in(config)}
    known = own | {f"{name}_FILE" for name in own}
    is_set = {name.removesuffix("_FILE") for name in environ if name in known}
    for name in sorted(environ):
        if name in known or not name.isupper():
            continue
        meant = _OTHER_WORDS.get(name) or next(
            (one for one in sorted(OURS) if len(one) >= _SHORTEST and _is_near(name, one)), None
        )
        if meant is not None and meant not in is_set:
            yield f"{name} is not a setting: did you mean {meant}?"


def _is_near(name: str, meant: str) -> bool:
    """Whether one letter too many, too few, wrong, or two that changed places make the difference."""
    if abs(len(name) - len(meant)) > 1:
        return False
    start = 0
    while start < min(len(name), len(meant)) and name[start] == meant[start]:
        start += 1
    one, other = name[start:], meant[start:]
    return one[1:] == other or one == other[1:] or one[1:] == other[1:] or (one[:2] == other[1::-1] and one[2:] == other[2:])


def _names_in(config: Path | None) -> set[str]:
    """All upper-case names in the file. One that cannot be read has none: whoever reads it says so."""
    try:
        text = config.read_text(encoding="utf-8") if config is not None else ""
    except (OSError, UnicodeDecodeError):
        return set()
    return set(re.findall(r"\b[A-Z][A-Z0-9_]{3,}\b", text))
