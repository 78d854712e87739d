"""The registry of providers: one folder and one line each, written out by hand so that the list can be read.

How to add one: docs/architecture.md.
"""

from __future__ import annotations

from shared.forges import github, gitlab
from shared.forges.provider_interface import Provider

PROVIDERS: dict[str, Provider] = {
    "github": github.PROVIDER,
    "gitlab": gitlab.PROVIDER,
}
