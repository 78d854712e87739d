"""Questions that GitHub's REST API cannot answer in one call: tags by prefix, the times of many commits, when tags were made.

https://docs.github.com/en/graphql/reference/objects#repository . GraphQL needs a token, and counts calls apart from REST.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from shared.domain.push import is_valid_ref
from shared.errors import BadPayload, TransientError
from shared.forges.forge import Tag, TagDates
from shared.forges.json_fields import Fields
from shared.forges.pagination import PAGE
from shared.forges.responses import read_object, read_time
from shared.infra.http_client import Answer

T = TypeVar("T")

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


_MADE = f"target {{ __typename ... on Tag {{ tagger {{ date }} target {{ {_TARGET} }} }} {_COMMIT} }}"


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


def ask_dates(full_name: str, names: Sequence[str]) -> bytes:
    """The body that asks when these tags were made, PAGE at most."""
    given = {f"t{number}": f"refs/tags/{name}" for number, name in enumerate(names)}
    declared = "".join(f", ${alias}: String!" for alias in given)
    asked = " ".join(f"{alias}: ref(qualifiedName: ${alias}) {{ name {_MADE} }}" for alias in given)
    query = f"query($owner: String!, $name: String!{declared}) {{ repository(owner: $owner, name: $name) {{ {asked} }} }}"
    return _body(query, full_name, **given)


def read_dates(answer: Answer) -> dict[str, TagDates]:
    """{tag: when it was made} of those that are known. Raises NotAnswered."""
    return dict(_read_each(answer, _read_dates))


def _read_dates(node: Fields) -> tuple[str, TagDates] | None:
    made, (_, at) = node.optional_object("target"), _peel(node) or (None, None)
    tagger = None if made is None else made.optional_object("tagger")
    tagged_at = None if tagger is None else read_time(tagger, "date")
    return None if at is None else (node.text("name", 1_024), TagDates(at, tagged_at or at))


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
    return dict(_read_each(answer, _read_time))


def _read_time(commit: Fields) -> tuple[str, datetime] | None:
    at = read_time(commit, "committedDate")
    return None if at is None else (commit.sha("oid"), at)


def _read_each(answer: Answer, read: Callable[[Fields], tuple[str, T] | None]) -> Iterator[tuple[str, T]]:
    """What `read` makes of each object that was asked for by an alias. What cannot be read is unknown."""
    repository = _read_repository(answer)
    for alias in repository.values:
        with suppress(BadPayload):
            found = repository.optional_object(alias)
            if found is not None and (told := read(found)) is not None:
                yield told


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
