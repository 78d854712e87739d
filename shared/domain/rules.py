"""Decides what a push becomes: which rule wants it, for which targets, under which version. Pure; keeps the trail of why."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from shared.domain.push import Ignored, Push
from shared.domain.reasons import Reason
from shared.domain.versions import Refused, render_version

DEFAULT_RELEASE = {"tag": "{tag}", "branch": "{sha}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a release is created. `pace` is requests a second at most; the token itself stays in the environment.

    `deploy_wait`: for how long a deploy may still turn up there that was sent and not clearly answered.
    """

    name: str
    url: str
    org: str
    token_env: str
    pace: float = 20.0
    deploy_wait: timedelta = timedelta(seconds=90)
    # provider:full name in lower case -> its name at the target
    repositories: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`refs` are globs over full ref names, `!` in front excludes; `{default_branch}` stands for the repository's own.

    `shared`: repositories of other sources may add to the versions that this rule makes, if theirs says so too.
    """

    name: str
    repos: tuple[str, ...]
    refs: tuple[str, ...]
    targets: tuple[str, ...]
    projects: tuple[str, ...]
    release: str | None = None
    set_commits: str = "auto"
    finalize: bool = True
    environment: str | None = None
    goes_on: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Webhook secrets that speak for these repositories only: globs over the full name, without the provider."""

    name: str
    provider: str
    secret_env: str
    repositories: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamingRules:
    """How tags are read, where their names alone do not say it (docs/decisions/0008): templates such as `REL_{version}`,
    further words of final releases, tags or commits that always count as earlier, whether a final release may count from a
    pre-release."""

    templates: tuple[str, ...] = ()
    final_suffixes: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    counts_prereleases: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRules:
    """How commits are collected: how long a release may wait for the forge, calls for file lists, commits of a first
    release, how long the commit log is kept, and how tags are read: `naming`, unless `repositories` has a pattern for the
    repository, the first that fits."""

    wait: timedelta = timedelta(seconds=60)
    file_calls: int = 30
    first_release: int = 20
    naming: NamingRules = NamingRules()
    repositories: tuple[tuple[tuple[str, ...], NamingRules], ...] = ()
    keep: timedelta = timedelta(days=365)

    def naming_for(self, repository_key: str) -> NamingRules:
        """How tags of this repository (`github:acme/web`) are read."""
        for patterns, naming in self.repositories:
            if names_repository(patterns, repository_key):
                return naming
        return self.naming


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileRules:
    """How often the forges' tags are compared with our releases, None: never by itself; and of which repositories (globs)."""

    every: timedelta | None = None
    repositories: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class Rules:
    rules: tuple[Rule, ...]
    targets: Mapping[str, Target]
    commits: CommitRules = CommitRules()
    reconcile: ReconcileRules = ReconcileRules()
    sources: tuple[Source, ...] = ()

    @property
    def secret_names(self) -> set[str]:
        """The variables that hold tokens and secrets of targets and sources."""
        return {target.token_env for target in self.targets.values()} | {source.secret_env for source in self.sources}


NO_RULES = Rules(rules=(), targets={})


class Work(NamedTuple):
    """One release to be created: what a job is made from."""

    rule: str
    target: str
    version: str
    projects: tuple[str, ...]
    set_commits: str
    finalize: bool
    environment: str | None


class Step(NamedTuple):
    """One rule as it was tried: did it match, and the value that decided."""

    rule: str
    matched: bool
    compared: str
    outcome: str

    def as_json(self) -> dict[str, Any]:
        return {"rule": self.rule, "matched": self.matched, "compared": self.compared, "outcome": self.outcome}


class Decision(NamedTuple):
    """`work` is empty when nothing is to be done; then `reason` is a stable code and `detail` one sentence."""

    work: tuple[Work, ...] = ()
    reason: str | None = None
    detail: str | None = None
    trail: tuple[Step, ...] = ()


def decide(push: Push | Ignored, rules: Rules) -> Decision:
    """What this push becomes under these rules. The first rule that matches decides, unless it says `continue`."""
    if isinstance(push, Ignored):
        return Decision(reason=push.reason, detail=push.detail)
    if push.is_deleted:
        return Decision(reason=Reason.REF_DELETED, detail=f"{push.ref.full} was deleted; a release is never deleted for it")
    if push.ref.kind == "other":
        return Decision(reason=Reason.EVENT_IGNORED, detail=f"{push.ref.full} is neither a branch nor a tag")
    if push.sha is None:
        return Decision(reason=Reason.EVENT_IGNORED, detail=f"{push.ref.full} does not point at a commit")
    trail: list[Step] = []
    work: dict[str, Work] = {}
    refusal: str | None = None
    for rule in rules.rules:
        if (mismatch := _mismatch(rule, push)) is not None:
            trail.append(mismatch)
            continue
        version = render_version(rule.release or DEFAULT_RELEASE[push.ref.kind], push)
        if isinstance(version, Refused):
            refusal = version.detail
            trail.append(Step(rule.name, True, push.ref.full, f"version refused: {version.detail}"))
        else:
            trail.append(Step(rule.name, True, push.ref.full, _take(rule, version, work)))
        if not rule.goes_on:
            break
    if work:
        return Decision(work=tuple(work.values()), trail=tuple(trail))
    reason, detail = _why_nothing(push, trail, refusal)
    return Decision(reason=reason, detail=detail, trail=tuple(trail))


def _take(rule: Rule, version: str, work: dict[str, Work]) -> str:
    """One job a target: a later rule may add targets, never a second release of this ref at one that has it."""
    added = [target for target in rule.targets if target not in work]
    for target in added:
        work[target] = Work(
            rule=rule.name,
            target=target,
            version=version,
            projects=rule.projects,
            set_commits=rule.set_commits,
            finalize=rule.finalize,
            environment=rule.environment,
        )
    if not added:
        return "an earlier rule already releases it there"
    return f"release {version} at {', '.join(added)}"


def _mismatch(rule: Rule, push: Push) -> Step | None:
    repository = push.repository
    if not names_repository(rule.repos, repository.key):
        return Step(rule.name, False, repository.key, f"repo is not {' or '.join(rule.repos)}")
    excluded = [pattern for pattern in rule.refs if pattern.startswith("!") and _ref_matches(pattern[1:], push)]
    if excluded:
        return Step(rule.name, False, push.ref.full, f"excluded by {excluded[0]}")
    if not any(_ref_matches(pattern, push) for pattern in rule.refs if not pattern.startswith("!")):
        wanted = [pattern for pattern in rule.refs if not pattern.startswith("!")]
        return Step(rule.name, False, push.ref.full, f"ref is not {' or '.join(wanted)}")
    return None


def _ref_matches(pattern: str, push: Push) -> bool:
    default = push.repository.default_branch
    if "{default_branch}" in pattern:
        return default is not None and push.ref.full == pattern.replace("{default_branch}", default)
    return matches(pattern, push.ref.full)


def _why_nothing(push: Push, trail: list[Step], refusal: str | None) -> tuple[str, str]:
    if refusal is not None:
        return Reason.VERSION_REFUSED, refusal
    knows_repository = any(step.compared == push.ref.full for step in trail)
    if knows_repository and push.ref.kind == "branch":
        return Reason.BRANCH_NOT_MATCHED, f"no rule for {push.repository.key} wants the branch {push.ref.name}"
    if knows_repository:
        return Reason.NO_RULE, f"no rule for {push.repository.key} wants the tag {push.ref.name}"
    return Reason.NO_RULE, f"no rule names the repository {push.repository.key}"


def matches(pattern: str, text: str) -> bool:
    """Globs: `*` is any run of characters, a slash included, `?` one character, `[abc]` one of these. Case counts."""
    return _compiled(pattern, False).fullmatch(text) is not None


def names_repository(patterns: Iterable[str], name: str) -> bool:
    """Whether one of these globs names the repository. Without case, as forges compare names (docs/decisions/0009)."""
    return any(_compiled(pattern, True).fullmatch(name) is not None for pattern in patterns)


@lru_cache(maxsize=4096)
def _compiled(pattern: str, ignores_case: bool) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern), re.IGNORECASE | re.ASCII if ignores_case else re.NOFLAG)
