"""`tagship.toml`: rules and targets, read and checked as a whole, every fault of the file named at once."""

from __future__ import annotations

import difflib
import fnmatch
import re
import tomllib
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from shared.errors import SettingsError
from shared.rules import CommitRules, Rule, Rules, Source, Target
from shared.settings import WEBHOOK_PROVIDERS, Settings
from shared.versions import check_template

DEFAULT_TARGET = "default"
DEFAULT_PACE = 20.0  # requests a second: half of what Sentry's releases endpoint takes
EMBEDDED_PACE = 1000.0


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _like(pattern: str, wanted: str) -> AfterValidator:
    """A text of this shape; the fault says `wanted`, never the pattern nor the value (which may be a pasted token)."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must be {wanted}")
        return value

    return AfterValidator(check)


_Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
_VARIABLE, _NAME_OF_ONE = r"[A-Z_][A-Z0-9_]{0,199}", "the name of an environment variable in capitals"
_Texts = Annotated[list[_Text], BeforeValidator(_as_list), Field(min_length=1, max_length=100)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _TargetTable(_Strict):
    url: _Text
    org: Annotated[str, _like(r"[A-Za-z0-9_.-]{1,100}", "the organization's slug")]
    token_env: Annotated[str, _like(_VARIABLE, f"{_NAME_OF_ONE}, not the token")]
    pace: Annotated[float, Field(gt=0, le=1000)] = DEFAULT_PACE
    repositories: dict[_Text, _Text] = {}  # provider:full name -> its name at the target

    @field_validator("pace", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> Any:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            raise ValueError("must be an http:// or https:// URL") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an http:// or https:// URL without query or fragment")
        if parts.username or parts.password:
            raise ValueError("must not hold a user name or password: name the token's variable in token_env")
        return value.rstrip("/")


class _RuleTable(_Strict):
    repo: _Texts
    name: _Text | None = None
    refs: _Texts = ["refs/tags/*"]
    target: _Texts | None = None
    projects: Annotated[list[_Text], Field(min_length=1, max_length=100)] | None = None
    release: _Text | None = None
    set_commits: Literal["auto", "payload", "refs", "skip"] = "auto"
    finalize: bool = True
    environment: Annotated[str, _like(r"[^/\r\n\f\t\\]{1,64}", "1 to 64 characters, none a slash or line break")] | None = None
    continue_: Annotated[bool, Field(alias="continue")] = False

    @field_validator("repo")
    @classmethod
    def _has_provider(cls, value: list[str]) -> list[str]:
        for pattern in value:
            provider, _, name = pattern.partition(":")
            if not name or not any(fnmatch.fnmatchcase(known, provider) for known in WEBHOOK_PROVIDERS):
                known = " or ".join(WEBHOOK_PROVIDERS)
                raise ValueError(f"{pattern!r} must be provider:full name, such as github:acme/web; providers: {known}")
        return value

    @field_validator("refs")
    @classmethod
    def _full_names(cls, value: list[str]) -> list[str]:
        for pattern in value:
            if not pattern.removeprefix("!").startswith(("refs/heads/", "refs/tags/", "refs/*")):
                raise ValueError(f"{pattern!r} must begin with refs/tags/ or refs/heads/ (after an optional !)")
            if set(re.findall(r"\{[^}]*\}?", pattern)) - {"{default_branch}"}:
                raise ValueError(f"{pattern!r} holds a placeholder that refs do not know: {{default_branch}} is the only one")
        if all(pattern.startswith("!") for pattern in value):
            raise ValueError("only excludes: add a pattern that includes, such as refs/tags/*")
        return value

    @field_validator("release")
    @classmethod
    def _template(cls, value: str | None) -> str | None:
        if value is not None and (fault := check_template(value)):
            raise ValueError(fault)
        return value


class _SourceTable(_Strict):
    provider: Literal["github", "gitlab"]
    secret_env: Annotated[str, _like(_VARIABLE, f"{_NAME_OF_ONE}, not the secret")]
    repositories: _Texts
    name: _Text | None = None

    @field_validator("secret_env")
    @classmethod
    def _is_its_own(cls, value: str) -> str:
        if value in {f"{name.upper()}_WEBHOOK_SECRET" for name in WEBHOOK_PROVIDERS}:
            raise ValueError(f"must be another variable: {value} speaks for every repository that no source claims")
        return value

    @field_validator("repositories")
    @classmethod
    def _has_no_provider(cls, value: list[str]) -> list[str]:
        for pattern in value:
            if ":" in pattern or ("/" not in pattern.strip("/") and "*" not in pattern):
                raise ValueError(f"{pattern!r} must be a full name without the provider, such as acme/web or acme/*")
        return value


class _CommitsTable(_Strict):
    wait: Annotated[int, Field(ge=0, le=86_400)] = 900
    file_calls: Annotated[int, Field(ge=0, le=10_000)] = 30
    first_release: Annotated[int, Field(ge=1, le=1_000)] = 20
    prereleases: Literal["skip", "count"] = "skip"
    keep_days: Annotated[int, Field(ge=1, le=3_650)] = 365


class _File(_Strict):
    targets: dict[Annotated[str, _like(r"[A-Za-z0-9_-]{1,64}", "a name of letters, digits, _ and -")], _TargetTable] = {}
    rules: Annotated[list[_RuleTable], Field(max_length=1000)] = []
    commits: _CommitsTable = _CommitsTable()
    sources: Annotated[list[_SourceTable], Field(max_length=200)] = []


def load(settings: Settings) -> Rules:
    """The rules in force: the file's, or the default rule. Raises SettingsError with every fault of the file."""
    if settings.config_path is None:
        return default_rules(settings)
    name = settings.config_path.name
    try:
        text = settings.config_path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError([f"{name} cannot be read: {type(problem).__name__}"]) from None
    except tomllib.TOMLDecodeError as problem:
        raise SettingsError([f"{name} is not TOML: {problem}"]) from None
    try:
        file = _File.model_validate(raw)
    except ValidationError as problem:
        raise SettingsError([f"{name}: {_sentence(error)}" for error in problem.errors()]) from None
    return _build(file, settings, lambda what: f"{name}: {what}")


def default_rules(settings: Settings) -> Rules:
    """The contract's one rule: a tag is named by the tag, a push to the default branch by the full commit sha."""
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


def _build(file: _File, settings: Settings, say: Callable[[str], str]) -> Rules:
    names = [table.name for table in file.rules if table.name]
    faults = [say(f"two rules are named {name!r}") for name in sorted({name for name in names if names.count(name) > 1})]
    targets = {
        name: Target(
            name=name,
            url=table.url,
            org=table.org,
            token_env=table.token_env,
            pace=table.pace,
            repositories=table.repositories,
        )
        for name, table in file.targets.items()
    } or {DEFAULT_TARGET: default_target(settings)}
    only = next(iter(targets)) if len(targets) == 1 else None
    rules: list[Rule] = []
    for index, table in enumerate(file.rules):
        where = f"rules[{index}]"
        wanted = tuple(table.target or ([only] if only else []))
        if not wanted:
            faults.append(say(f"{where}.target is missing: name one of {', '.join(targets)}"))
        for unknown in (name for name in wanted if name not in targets):
            faults.append(say(f"{where}.target {unknown!r} is not defined{_did_you_mean(unknown, list(targets))}"))
        projects = tuple(table.projects or (settings.sentry_projects if wanted == (DEFAULT_TARGET,) else ()))
        if not projects:
            faults.append(say(f"{where}.projects is missing: name the projects of the release"))
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
            )
        )
    if not file.rules and only != DEFAULT_TARGET:
        faults.append(say("rules is missing: without a rule nothing would ever be released"))
    if faults:
        raise SettingsError(faults)
    return Rules(
        rules=tuple(rules) or default_rules(settings).rules,
        targets=targets,
        commits=CommitRules(
            wait=timedelta(seconds=file.commits.wait),
            file_calls=file.commits.file_calls,
            first_release=file.commits.first_release,
            counts_prereleases=file.commits.prereleases == "count",
            keep=timedelta(days=file.commits.keep_days),
        ),
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


def missing_tokens(rules: Rules, settings: Settings) -> list[str]:
    """One sentence per target whose token is not in the environment: the worker cannot do without."""
    return [
        f"{target.token_env} is not set: the token of the target {target.name!r} ({target.url})"
        for target in rules.targets.values()
        if settings.secret(target.token_env) is None
    ]


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
        return list(_TargetTable.model_fields)
    if location[0] == "sources" and len(location) == 3:
        return list(_SourceTable.model_fields)
    if location[0] == "commits" and len(location) == 2:
        return list(_CommitsTable.model_fields)
    if location[0] == "rules" and len(location) == 3:
        return [field.alias or name for name, field in _RuleTable.model_fields.items()]
    return list(_File.model_fields)


def _did_you_mean(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f": did you mean {near[0]!r}?" if near else f": known are {', '.join(known)}"
