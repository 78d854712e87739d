"""`tagship.toml`: rules and targets, read and checked as a whole, every fault of the file named at once."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared.config.org_token import read_org_token
from shared.config.schema import (
    DEFAULT_PACE,
    CommitsTable,
    File,
    NamedRepositoriesTable,
    NamingTable,
    ReconcileTable,
    RuleTable,
    SourceTable,
    TargetTable,
    read_span,
)
from shared.config.settings import Settings
from shared.domain.rules import CommitRules, NamingRules, ReconcileRules, Rule, Rules, Source, Target
from shared.errors import SettingsError

DEFAULT_TARGET = "default"
EMBEDDED_PACE = 1000.0


def load(settings: Settings) -> Rules:
    """The rules in force: the file's, or the default rule. Raises SettingsError with every fault of the file."""
    if settings.config_path is None:
        return default_rules(settings)
    name = settings.config_path.name
    return parse(decode(read_bytes(settings.config_path), name), name, settings)


def read_bytes(path: Path) -> bytes:
    """What the file holds. Raises SettingsError."""
    try:
        return path.read_bytes()
    except OSError as problem:
        raise SettingsError([f"{path.name} cannot be read: {type(problem).__name__}"]) from None


def decode(raw: bytes, name: str) -> str:
    """The text of a file of this name. Raises SettingsError."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise SettingsError([f"{name} cannot be read: {type(problem).__name__}"]) from None


def parse(text: str, name: str, settings: Settings) -> Rules:
    """The rules that a file of this name would hold. Raises SettingsError with every fault; each begins with `name`."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:  # also numbers and nesting beyond what Python reads
        why = str(problem) if isinstance(problem, tomllib.TOMLDecodeError) else "a number or a nesting is too long"
        raise SettingsError([f"{name} is not TOML: {why}"]) from None
    try:
        file = File.model_validate(raw)
    except ValidationError as problem:
        raise SettingsError([f"{name}: {_sentence(error)}" for error in problem.errors()]) from None
    return _build(file, settings, lambda what: f"{name}: {what}")


def default_rules(settings: Settings) -> Rules:
    """The contract's one rule: a tag is named by the tag, a push to the default branch by the full commit sha.

    Raises SettingsError where SENTRY_URL is set and organization or project are not.
    """
    if faults := [*settings.target_faults, *settings.project_faults]:
        raise SettingsError(faults)
    return _default_rules(settings)


def _default_rules(settings: Settings) -> Rules:
    rule = Rule(
        name="default",
        repos=("*",),
        refs=("refs/tags/*", "refs/heads/{default_branch}"),
        targets=(DEFAULT_TARGET,),
        projects=settings.sentry_projects,
    )
    return Rules(rules=(rule,), targets={DEFAULT_TARGET: default_target(settings)})


def default_target(settings: Settings) -> Target:
    """The SENTRY_* variables as a target. The embedded endpoint limits nobody, so it is not spared as a Sentry is."""
    return Target(
        name=DEFAULT_TARGET,
        url=settings.sentry_url,
        org=settings.sentry_org,
        token_env="SENTRY_AUTH_TOKEN",  # noqa: S106
        pace=EMBEDDED_PACE if settings.is_target_embedded else DEFAULT_PACE,
    )


def _build(file: File, settings: Settings, say: Callable[[str], str]) -> Rules:
    targets = {name: _target(name, table) for name, table in file.targets.items()} or {DEFAULT_TARGET: default_target(settings)}
    rules, faults = _rules(file.rules, list(targets), settings)
    if not file.targets:
        faults += settings.target_faults if file.rules else (*settings.target_faults, *settings.project_faults)
    if not file.rules and list(targets) != [DEFAULT_TARGET]:
        faults.append("rules is missing: without a rule nothing would ever be released")
    if faults:
        raise SettingsError([say(fault) for fault in faults])
    return Rules(
        rules=rules or _default_rules(settings).rules,
        targets=targets,
        commits=CommitRules(
            wait=timedelta(seconds=file.commits.wait),
            file_calls=file.commits.file_calls,
            first_release=file.commits.first_release,
            naming=_naming(file.commits, file.commits),
            repositories=tuple((tuple(table.repo), _naming(table, file.commits)) for table in file.commits.repositories),
            keep=timedelta(days=file.commits.keep_days),
        ),
        reconcile=_reconcile_rules(file.reconcile),
        sources=tuple(
            Source(
                name=table.name or f"source {index + 1}",
                provider=table.provider,
                secret_env=table.secret_env,
                repositories=tuple(table.repositories),
            )
            for index, table in enumerate(file.sources)
        ),
    )


def _target(name: str, table: TargetTable) -> Target:
    repositories = {key.lower(): called for key, called in table.repositories.items()}
    values = {**table.model_dump(), "deploy_wait": timedelta(seconds=table.deploy_wait), "repositories": repositories}
    return Target(name=name, **values)


def _rules(tables: Sequence[RuleTable], targets: list[str], settings: Settings) -> tuple[tuple[Rule, ...], list[str]]:
    """The rules, and what is wrong with them."""
    names = [table.name for table in tables if table.name]
    faults = [f"two rules are named {name!r}" for name in sorted({name for name in names if names.count(name) > 1})]
    rules: list[Rule] = []
    for index, table in enumerate(tables):
        where = f"rules[{index}]"
        wanted = tuple(table.target or (targets if len(targets) == 1 else ()))
        if not wanted:
            faults.append(f"{where}.target is missing: name one of {', '.join(targets)}")
        for unknown in (name for name in wanted if name not in targets):
            faults.append(f"{where}.target {unknown!r} is not defined{_did_you_mean(unknown, targets)}")
        projects = tuple(table.projects or (settings.sentry_projects if wanted == (DEFAULT_TARGET,) else ()))
        if not table.projects and wanted == (DEFAULT_TARGET,) and settings.project_faults:
            faults.append(f"{where}.projects is missing, and so is SENTRY_PROJECT: name the projects of the release")
        elif not projects:
            faults.append(f"{where}.projects is missing: name the projects of the release")
        rules.append(
            Rule(
                name=table.name or f"rule {index + 1}",
                repos=tuple(table.repo),
                refs=tuple(table.refs),
                targets=wanted,
                projects=projects,
                release=table.release,
                set_commits=table.set_commits,
                finalize=table.finalize,
                environment=table.environment,
                goes_on=table.continue_,
                shared=table.shared,
            )
        )
    return tuple(rules), faults


def _naming(table: NamingTable, otherwise: NamingTable) -> NamingRules:
    """What a table leaves out is as [commits] says."""
    values = {**otherwise.model_dump(exclude_none=True), **table.model_dump(exclude_none=True)}
    return NamingRules(
        templates=tuple(values.get("tag", ())),
        final_suffixes=tuple(values.get("final_suffixes", ())),
        bases=tuple(values.get("base", ())),
        counts_prereleases=values.get("prereleases", False) in (True, "count"),
    )


def _reconcile_rules(table: ReconcileTable | None) -> ReconcileRules:
    if table is None:
        return ReconcileRules()
    return ReconcileRules(every=read_span(table.every), repositories=tuple(table.repositories))


def token_faults(rules: Rules, settings: Settings) -> list[str]:
    """One sentence per target whose token is not in the environment, or is one of another organization or server."""
    faults = []
    for target in rules.targets.values():
        token = settings.secret(target.token_env)
        if token is None:
            faults.append(f"{target.token_env} is not set: the token of the target {target.name!r} ({target.url})")
        elif (named := read_org_token(token)) and (fault := named.contradiction(target.org, target.url)):
            faults.append(f"{target.token_env}, the token of the target {target.name!r}, {fault}")
    return faults


def _sentence(error: Any) -> str:
    path = ""
    for part in (part for part in error["loc"] if part != "[key]"):
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    if error["type"] == "extra_forbidden":
        return f"{path} is not a known key{_did_you_mean(str(error['loc'][-1]), _known_keys(error['loc']))}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{path} {message[:1].lower()}{message[1:]}"


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    if location[0] == "targets" and len(location) == 3:
        return list(TargetTable.model_fields)
    if location[0] == "sources" and len(location) == 3:
        return list(SourceTable.model_fields)
    if location[:2] == ("commits", "repositories") and len(location) == 4:
        return list(NamedRepositoriesTable.model_fields)
    if location[0] == "commits" and len(location) == 2:
        return list(CommitsTable.model_fields)
    if location[0] == "reconcile" and len(location) == 2:
        return list(ReconcileTable.model_fields)
    if location[0] == "rules" and len(location) == 3:
        return [field.alias or name for name, field in RuleTable.model_fields.items()]
    return list(File.model_fields)


def _did_you_mean(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f": did you mean {near[0]!r}?" if near else f": known are {', '.join(known)}"
