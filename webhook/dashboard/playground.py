"""The playground: what a payload would become under rules that may be edited here, and which verdicts would change.

Writes nothing and calls nobody; works without a script. The words and bounds are those of the API's explain and what-if.
"""

from __future__ import annotations

import json
import time
from typing import Any

from flask import Response, request

from shared.domain.filters import DeliveryFilter, Page
from shared.domain.rules import Rules
from shared.errors import BadParameter, NotFound, Rejected
from shared.forges import PROVIDERS
from shared.ledger.queries import listings, lookup
from webhook.dashboard import formatting
from webhook.dashboard.blueprint import blueprint, looking, page, services
from webhook.ops import config_preview, explain, serializers, what_if
from webhook.ops.what_if import MOST, SECONDS, USUAL

_LONGEST_LOADED = 300_000  # characters of a stored payload that are put into the form
_ROOM = 300_000  # characters of verdicts on the page
_NEWEST = 8  # deliveries offered

# The default rule as a file, for those who have none yet.
STARTER = """[[rules]]
name = "default"
repo = ["github:*", "gitlab:*"]
refs = ["refs/tags/*", "refs/heads/{default_branch}"]
"""


@blueprint.get("/rules/try")
def show_playground() -> Response:
    """The form, with a stored delivery in it if the address names one."""
    given = {"config": _config_text(), "provider": next(iter(PROVIDERS)), "event": "", "payload": "", "last": str(USUAL)}
    told = None
    if delivery_id := request.args.get("delivery", "").strip():
        told = _load(delivery_id, request.args.get("provider") or None, given)
    return _playground(given, fault=told)


@blueprint.post("/rules/try")
def try_rules() -> Response:
    """The same form with its answer below; a fault keeps what was typed."""
    given = {name: request.form.get(name, "") for name in ("config", "provider", "event", "payload", "last")}
    try:
        rules = (
            config_preview.read_config(given["config"], services().settings) if given["config"].strip() else services().rules
        )
        if request.form.get("ask") == "what-if":
            return _playground(given, summary=_what_if(rules, given["last"]))
        return _playground(given, said=_explain(rules, given))
    except (BadParameter, Rejected) as problem:
        return _playground(given, fault=str(problem))


def _explain(rules: Rules, given: dict[str, str]) -> explain.Explanation:
    body = given["payload"].strip().encode()
    if not body:
        raise BadParameter("paste a payload, or take a stored delivery")
    event = given["event"].strip()[:100] or explain.guess_event(given["provider"], body)
    return explain.explain(given["provider"], event, body, rules, formatting.now())


def _what_if(rules: Rules, last: str) -> what_if.Summary:
    if not (last.isascii() and last.isdigit() and 1 <= int(last[:9]) <= MOST):
        raise BadParameter(f"the number of deliveries must be between 1 and {MOST}")
    end = time.monotonic() + SECONDS
    return what_if.summarise(what_if.compare(services().engine, rules, int(last)), lambda: time.monotonic() < end, _ROOM)


def _load(delivery_id: str, provider: str | None, given: dict[str, str]) -> str | None:
    """Put a stored delivery into the form; a sentence when that is not possible."""
    try:
        with looking() as connection:
            row = lookup.find_delivery(connection, delivery_id, provider)
    except NotFound:
        return "there is no delivery of this id"
    if row.provider not in PROVIDERS or row.body is None:
        return "nothing of this delivery's payload is kept any more"
    payload = json.dumps(serializers.whole_delivery(row)["payload"], indent=2, ensure_ascii=False)
    if len(payload) > _LONGEST_LOADED:
        return "this delivery's payload is too long for a form: use the command line, explain FILE"
    given |= {"provider": row.provider, "event": row.event, "payload": payload}
    return None


def _config_text() -> str:
    """Today's file, which may be newer than the rules in force."""
    path = services().settings.config_path
    if path is None:
        return STARTER
    try:
        return path.read_text(encoding="utf-8")[: config_preview.LONGEST]
    except (OSError, UnicodeDecodeError):
        return ""


def _playground(
    given: dict[str, str],
    *,
    fault: str | None = None,
    said: explain.Explanation | None = None,
    summary: what_if.Summary | None = None,
) -> Response:
    with looking() as connection:
        newest = listings.list_deliveries(connection, DeliveryFilter(), Page(_NEWEST)).rows
    releases: list[dict[str, Any]] = (
        [{**one, "pretty": formatting.pretty(one["body"])} for one in said.releases] if said else []
    )
    return page(
        "try.html",
        given=given,
        fault=fault,
        said=said,
        releases=releases,
        summary=summary,
        newest=newest,
        providers=list(PROVIDERS),
        most=MOST,
        seconds=SECONDS,
        has_file=services().settings.config_path is not None,
    )
