"""Releases that belong to several projects, and credentials that are limited to some of these: what a change may do."""

from __future__ import annotations

from shared.config.settings import Settings
from shared.errors import SettingsError

SETTING = "RELEASES_SHARED_RELEASES"
_WORDS = ("allow", "refuse")


def read_setting(settings: Settings) -> bool:
    """Whether such a change is refused. Sentry allows it. Raises SettingsError."""
    word = settings.environ.get(SETTING, "allow")
    if word not in _WORDS:
        raise SettingsError([f"{SETTING} must be one of {', '.join(_WORDS)}, not {word!r}"])
    return word == "refuse"
