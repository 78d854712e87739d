"""The names of the providers and the settings of their APIs. What they send and how they are asked: `shared/forges/`. Pure."""

from __future__ import annotations

from typing import NamedTuple


class ApiSettings(NamedTuple):
    """The variable of an API's address, the address without it (`off` where we have no client), the variable of the token."""

    address: str
    default: str
    token: str


APIS = {
    "github": ApiSettings("GITHUB_API_URL", "https://api.github.com", "GITHUB_TOKEN"),
    "gitlab": ApiSettings("GITLAB_URL", "https://gitlab.com", "GITLAB_TOKEN"),
}
PROVIDER_NAMES = tuple(APIS)
NO_APIS = {api.address: "off" for api in APIS.values()}  # the environment of a stack that asks nobody


def secret_variable(provider: str) -> str:
    """The variable of the secrets with which webhooks of this provider are signed."""
    return f"{provider.upper()}_WEBHOOK_SECRET"
