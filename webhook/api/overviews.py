"""/api/v1/releases, repositories, rules and audit: what the pages show beside jobs and deliveries; comparing a repository."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response, jsonify

from shared.domain import filters
from shared.errors import BadParameter
from shared.forges.json_fields import Fields
from shared.forges.repository_key import read_repository
from shared.infra.database import reading
from shared.reconcile import RECENT_TAGS
from webhook.api.request import CUT, ONCE, WRONG, actor, blueprint, read_body, services, words
from webhook.openapi.filter_parameters import parameters
from webhook.openapi.operation import Answer, Call, Parameter, described
from webhook.openapi.schema_helpers import FLAG, PROVIDER, TEXT, one_of, page_of, ref, several, shape, told
from webhook.ops import operations, overviews

_SCOPES = {"newest": RECENT_TAGS, "all": None}
_REPOSITORY = (Parameter("provider", PROVIDER, "Of the repository."), Parameter("name", TEXT, "Its full name: acme/shop."))


@blueprint.get("/releases")
@described(
    Call(
        summary="List releases, newest first",
        detail=f"Those whose commit list is still being completed are jobs of status retrying, reason commits_partial. {CUT}",
        who="viewer",
        query=parameters(overviews.RELEASE_WORDS + filters.PAGE_WORDS),
        answers={200: Answer("A page of releases.", page_of("Release"))},
        problems={400: WRONG},
    )
)
def list_releases() -> Response:
    given = words(overviews.RELEASE_WORDS + filters.PAGE_WORDS)
    wanted, page = filters.read_job_filter(given, datetime.now(UTC)), filters.read_page(given, "job")
    with reading(services().engine).begin() as connection:
        items, found = overviews.list_releases(connection, wanted, page)
    return jsonify({"items": items, "next_cursor": found.next_cursor})


@blueprint.get("/repositories")
@described(
    Call(
        summary="List the repositories that ever pushed, by name",
        who="viewer",
        query=parameters(filters.PAGE_WORDS),
        answers={200: Answer("A page of repositories.", page_of("KnownRepository"))},
        problems={400: WRONG},
    )
)
def list_repositories() -> Response:
    page = filters.read_page(words(filters.PAGE_WORDS), "repository")
    with reading(services().engine).begin() as connection:
        items, following = overviews.list_repositories(connection, page, datetime.now(UTC))
    return jsonify({"items": items, "next_cursor": following})


@blueprint.get("/repositories/<provider>/<any_text:name>")
@described(
    Call(
        summary="Show a repository, and what its last comparison with the forge found",
        who="viewer",
        path=_REPOSITORY,
        answers={200: Answer("The repository.", ref("RepositoryWithTags"))},
        problems={400: WRONG, 404: "It never pushed, and nobody compared it."},
    )
)
def show_repository(provider: str, name: str) -> Response:
    repository = read_repository(f"{provider}:{name}")
    with reading(services().engine).begin() as connection:
        return jsonify(overviews.show_repository(connection, repository, datetime.now(UTC)))


@blueprint.post("/repositories/<provider>/<any_text:name>/compare")
@described(
    Call(
        summary="Compare a forge's tags with our releases, and create what is missing if asked",
        detail="A sweeper does it within seconds; GET the repository for its progress and what it found.",
        who="operator",
        path=_REPOSITORY,
        headers=(ONCE,),
        body=shape(
            {
                "tags": told(one_of(_SCOPES), f"the newest {RECENT_TAGS} of each line (default), or all"),
                "create": told(FLAG, "also create the releases that are missing"),
                "deploys": told(FLAG, "also record the deploys that their rules ask for"),
            },
            optional=("tags", "create", "deploys"),
        ),
        is_body_required=False,
        answers={202: Answer("It waits for a sweeper.", shape({}))},
        problems={400: WRONG, 409: "It is being compared already, or the Idempotency-Key was used with another query or body."},
    )
)
def compare_repository(provider: str, name: str) -> tuple[Response, int]:
    repository, fields = read_repository(f"{provider}:{name}"), Fields(read_body(("tags", "create", "deploys")), "")
    scope = fields.optional_text("tags", 10) or "newest"
    if scope not in _SCOPES:
        raise BadParameter(f"tags must be one of {', '.join(_SCOPES)}")
    creates, with_deploys = fields.flag("create") or False, fields.flag("deploys") or False
    if with_deploys and not creates:
        raise BadParameter("deploys needs create: only releases that are made have deploys")
    operations.reconcile(services(), actor(), repository, most_tags=_SCOPES[scope], creates=creates, with_deploys=with_deploys)
    return jsonify({}), 202


@blueprint.get("/rules")
@described(
    Call(
        summary="List the rules in force, in the order in which they are tried",
        who="viewer",
        answers={200: Answer("All of them.", shape({"items": several(ref("ListedRule"))}))},
    )
)
def list_rules() -> Response:
    with reading(services().engine).begin() as connection:
        return jsonify({"items": overviews.list_rules(connection, services().rules)})


@blueprint.get("/audit")
@described(
    Call(
        summary="List who did what, newest first",
        who="viewer",
        query=parameters(filters.PAGE_WORDS),
        answers={200: Answer("A page of the audit log.", page_of("AuditEntry"))},
        problems={400: WRONG},
    )
)
def list_audit() -> Response:
    page = filters.read_page(words(filters.PAGE_WORDS), "audit")
    with reading(services().engine).begin() as connection:
        items, following = overviews.list_audit(connection, page)
    return jsonify({"items": items, "next_cursor": following})
