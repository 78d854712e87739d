"""Connect a repository: what to put into each provider's form, the secret on request, and the first webhooks as they come."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Response, request

from shared.domain.filters import DeliveryFilter, Page
from shared.domain.provider_settings import secret_variable
from shared.errors import NotFound
from shared.forges import PROVIDERS
from shared.infra.network import is_loopback
from shared.ledger.queries import listings
from webhook.dashboard.blueprint import actor, blueprint, looking, page, services
from webhook.ops import operations

_LAST = 5  # deliveries shown of each provider


@blueprint.get("/connect")
def show_connect() -> Response:
    return _connect()


@blueprint.post("/connect/<provider>/secret")
def show_secret(provider: str) -> Response:
    """The page with the secret in it, which no address leads to and no cache keeps."""
    if provider not in PROVIDERS:
        raise NotFound(f"no provider {provider!r}")
    return _connect(operations.show_secret(services(), actor(), provider, request.form.get("source") or None))


def _connect(shown: dict[str, Any] | None = None) -> Response:
    host = urlsplit(request.url_root).hostname or ""
    with looking() as connection:
        last = {
            name: listings.list_deliveries(connection, DeliveryFilter(provider=name), Page(_LAST)).rows for name in PROVIDERS
        }
    return page(
        "connect.html",
        providers=[_provider(name, shown) for name in PROVIDERS],
        last=last,
        shown=shown,
        is_local=host == "localhost" or is_loopback(host),
        is_plain=not request.is_secure,
    )


def _provider(name: str, shown: dict[str, Any] | None) -> dict[str, Any]:
    """What the page shows of one provider. `secrets`: where each stands and what it speaks for, never a value."""
    settings, rules = services().settings, services().rules
    variable, sources = secret_variable(name), [one for one in rules.sources if one.provider == name]
    places = [
        {"source": None, "variable": variable, "speaks_for": "every repository" if not sources else "every other repository"}
    ]
    secrets = [
        *(places if settings.webhook_secrets.get(name) else []),
        *({"source": one.name, "variable": one.secret_env, "speaks_for": ", ".join(one.repositories)} for one in sources),
    ]
    is_shown = shown is not None and shown["provider"] == name
    url = f"{request.url_root}webhooks/{name}"
    told = {"{url}": url, "{secret}": shown["secrets"][-1] if shown is not None and is_shown else None}
    return {
        "name": name,
        "title": PROVIDERS[name].hint.partition(":")[0],
        "fields": [(field, told.get(value, value), value in told) for field, value in PROVIDERS[name].hook_form],
        "secrets": secrets,
        "variable": variable,
        "is_shown": is_shown,
    }
