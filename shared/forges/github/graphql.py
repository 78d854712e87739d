"""The two questions that GitHub's REST API cannot answer in one call: tags by prefix, and the times of many commits.

https://docs.github.com/en/graphql/reference/objects#repository . GraphQL needs a token, and counts calls apart from REST.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from shared.domain.push import is_valid_ref
from shared.errors import BadPayload, TransientError
from shared.forges.forge import Tag
from shared.forges.json_fields import Fields
from shared.forges.pagination import PAGE
from shared.forges.responses import read_object, read_time
from shared.infra.http_client import Answer

# A tag of a tag of a tag of a commit at most: each level must be spelled out. The odd one beyond has no commit and is left out.
_COMMIT = "... on Commit { oid committedDate }"
_TARGET = _COMMIT
for _ in range(3):
    _TARGET = f"{_COMMIT} ... on Tag {{ target {{ {_TARGET} }} }}"
_TAGS = (
    "query($owner: String!, $name: String!, $begin: String!, $after: String) { repository(owner: $owner, name: $name) {"
    f' refs(refPrefix: "refs/tags/", query: $begin, first: {PAGE}, after: $after) {{'
    f" nodes {{ name target {{ {_TARGET} }} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
)


class NotAnswered(Exception):
    """GraphQL said no, or not as documented: what it was asked is got in another way, or stays unknown."""


def ask_tags(full_name: str, prefix: str, cursor: str | None) -> bytes:
    """The body that asks for a page of the tags with `prefix` anywhere in their names."""
    return _body(_TAGS, full_name, begin=prefix, after=cursor)


def ask_times(full_name: str, shas: Sequence[str]) -> bytes:
    """The body that asks for the times of these commits, checked shas, PAGE at most."""
    asked = " ".join(f'c{number}: object(oid: "{sha}") {{ {_COMMIT} }}' for number, sha in enumerate(shas))
    return _body(
        f"query($owner: String!, $name: String!) {{ repository(owner: $owner, name: $name) {{ {asked} }} }}", full_name
    )


def read_tags(answer: Answer) -> tuple[list[Tag], str | None]:
    """A page, and the cursor of the next one. Raises NotAnswered."""
    repository = _read_repository(answer)
    try:
        refs = repository.object("refs")
        found = [(node.text("name", 1_024), _peel(node)) for node in refs.objects("nodes", PAGE)]
        page = refs.object("pageInfo")
        cursor = page.text("endCursor", 1_000) if page.flag("hasNextPage") else None
    except BadPayload as problem:
        raise NotAnswered(str(problem)) from None
    valid = [(name, commit) for name, commit in found if commit is not None and is_valid_ref(f"refs/tags/{name}")]
    return [Tag(name, sha, at) for name, (sha, at) in valid], cursor


def read_times(answer: Answer) -> dict[str, datetime]:
    """{sha: time of the commit} of those that are known. Raises NotAnswered."""
    repository = _read_repository(answer)
    times: dict[str, datetime] = {}
    for name in repository.values:
        try:
            commit = repository.optional_object(name)
            if commit is not None and (at := read_time(commit, "committedDate")) is not None:
                times[commit.sha("oid")] = at
        except BadPayload:
            continue
    return times


def _body(query: str, full_name: str, **variables: str | None) -> bytes:
    owner, _, name = full_name.partition("/")
    return json.dumps({"query": query, "variables": {"owner": owner, "name": name, **variables}}).encode()


def _read_repository(answer: Answer) -> Fields:
    def reader(fields: Fields) -> Fields:
        if fields.has("errors"):
            raise BadPayload("errors: none were expected")
        return fields.object("data").object("repository")

    if answer.status != 200:
        raise NotAnswered(f"status {answer.status}")
    try:
        return read_object(answer, reader)
    except TransientError as problem:
        raise NotAnswered(str(problem)) from None


def _peel(node: Fields) -> tuple[str, datetime | None] | None:
    """The commit that a tag leads to."""
    target = node.optional_object("target")
    while target is not None and not target.has("oid"):
        target = target.optional_object("target")
    return None if target is None else (target.sha("oid"), read_time(target, "committedDate"))
