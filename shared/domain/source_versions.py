"""Whose a version is where several sources release to one target (docs/decisions/0019). Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from shared.domain.rules import DEFAULT_RELEASE, Rule, Rules, Source, names_repository

_PLACEHOLDER = re.compile(r"\{[^}]*\}")
_CHARACTER_SET = re.compile(r"\[[^\]]+\]")
_TELLING = re.compile(r"\{(?:repo|sha(?::[0-9]+)?)\}")  # no two repositories have one


class Holder(NamedTuple):
    """A repository that has put something into a release. `source`: whose it was then, None in older rows; `name`: what it is
    called now."""

    key: str
    source: str | None
    is_shared: bool
    provider: str
    name: str


def source_of(sources: Sequence[Source], provider: str, name: str) -> str:
    """What a repository's source is called: the secrets that speak for it; all repositories that no entry claims are one."""
    claiming = {one.secret_env for one in sources if one.provider == provider and names_repository(one.repositories, name)}
    return ",".join(f"{provider}:{secret}" for secret in sorted(claiming))


def find_owner(
    holders: Collection[Holder], key: str, source: str, *, is_shared: bool, sources: Sequence[Source]
) -> Holder | None:
    """The repository of another source that has the version, where this one (`key`, of `source`) must not add to it.

    A repository that is in the release stays in it. Whoever speaks for a holder now could send its pushes anyway.
    """
    if any(holder.key == key for holder in holders):
        return None
    for holder in holders:
        now = source_of(sources, holder.provider, holder.name)
        if source not in (holder.source, now) and not (is_shared and holder.is_shared):
            return holder
    return None


def meeting_rules(rules: Rules) -> Iterator[str]:
    """One sentence for each two sources whose rules may make one version at a target, and are not both `shared`."""
    if not rules.sources:
        return
    wanted = [
        (rule, source) for rule in rules.rules for source in (*rules.sources, None) if _covers(rule, source, rules.sources)
    ]
    for (rule, source), (other, another) in itertools.combinations(wanted, 2):
        if source == another or (rule.shared and other.shared):
            continue
        targets = [target for target in rule.targets if target in other.targets]
        if targets and _templates_meet(rule, other):
            which = f"rule {rule.name!r}" if rule == other else f"rules {rule.name!r} and {other.name!r}"
            names = " and ".join(
                "repositories without a source" if one is None else f"source {one.name!r}" for one in (source, another)
            )
            yield (
                f"{which}: {names} may make the same version at {', '.join(targets)}, and the first one keeps it: "
                "put {repo} or {name} into `release`, or set `shared = true`"
            )


def _covers(rule: Rule, source: Source | None, sources: Sequence[Source]) -> bool:
    """Whether the rule may match a repository of the source; None: one that no source claims."""
    if source is not None:
        return any(
            globs_meet(repo.lower(), f"{source.provider}:{one}".lower()) for repo in rule.repos for one in source.repositories
        )
    claimed = [f"{one.provider}:{pattern}" for one in sources for pattern in one.repositories]
    return not all(names_repository(claimed, repo) for repo in rule.repos)


def _templates_meet(rule: Rule, other: Rule) -> bool:
    for kind, default in DEFAULT_RELEASE.items():
        if not all(
            any(ref.startswith(("refs/*", "refs/tags/" if kind == "tag" else "refs/heads/")) for ref in one.refs)
            for one in (rule, other)
        ):
            continue
        one, another = rule.release or default, other.release or default
        if one == another and _TELLING.search(one):
            continue
        if globs_meet(_PLACEHOLDER.sub("*", one), _PLACEHOLDER.sub("*", another)):
            return True
    return False


def globs_meet(one: str, other: str) -> bool:
    """Whether some text matches both globs; a set of characters (`[ab]`) counts as any character."""
    one, other = _CHARACTER_SET.sub("?", one), _CHARACTER_SET.sub("?", other)
    # meets[j]: whether the rest of `one` from i and of `other` from j have a text in common; from their ends.
    meets = [False] * (len(other) + 1)
    for i in range(len(one), -1, -1):
        below, meets = meets, [False] * (len(other) + 1)
        for j in range(len(other), -1, -1):
            if i == len(one) and j == len(other):
                meets[j] = True
            elif i < len(one) and one[i] == "*":
                meets[j] = below[j] or (j < len(other) and meets[j + 1])
            elif j < len(other) and other[j] == "*":
                meets[j] = meets[j + 1] or (i < len(one) and below[j])
            elif i < len(one) and j < len(other):
                meets[j] = below[j + 1] and (one[i] == other[j] or "?" in (one[i], other[j]))
    return meets[0]
