"""The shape of `tagship.toml` as pydantic tables: each key, its type and its bounds. Their meaning: `rules_file.py`."""

from __future__ import annotations

import fnmatch
import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator

from shared.config.variable_reader import NOT_IN_A_URL
from shared.domain.provider_settings import PROVIDER_NAMES, secret_variable
from shared.domain.tag_names import check_template as check_tag_template
from shared.domain.versions import check_template

DEFAULT_DEPLOY_WAIT = 90.0  # seconds: a proxy gives its server sixty, unless told otherwise
DEFAULT_PACE = 20.0  # requests a second: half of what Sentry's releases endpoint takes
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_SHORTEST, _LONGEST = timedelta(minutes=5), timedelta(days=30)  # between two comparisons of the timer


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


def _check_repositories(patterns: list[str]) -> list[str]:
    for pattern in patterns:
        provider, _, name = pattern.partition(":")
        if not name or not any(fnmatch.fnmatchcase(known, provider) for known in PROVIDER_NAMES):
            known = " or ".join(PROVIDER_NAMES)
            raise ValueError(f"{pattern!r} must be provider:full name, such as github:acme/web; providers: {known}")
    return patterns


_Repositories = Annotated[_Texts, AfterValidator(_check_repositories)]


def read_span(text: str) -> timedelta:
    """`6h` as a duration; minutes, hours or days."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TargetTable(_Strict):
    url: _Text
    org: Annotated[str, _like(r"[A-Za-z0-9_.-]{1,100}", "the organization's slug")]
    token_env: Annotated[str, _like(_VARIABLE, f"{_NAME_OF_ONE}, not the token")]
    pace: Annotated[float, Field(gt=0, le=1000)] = DEFAULT_PACE
    deploy_wait: Annotated[float, Field(ge=0, le=3600)] = DEFAULT_DEPLOY_WAIT
    repositories: dict[_Text, _Text] = {}  # provider:full name -> its name at the target

    @field_validator("repositories")
    @classmethod
    def _each_once(cls, value: dict[str, str]) -> dict[str, str]:
        spelled: dict[str, str] = {}
        for key in value:
            if (other := spelled.setdefault(key.lower(), key)) != key:
                raise ValueError(f"{other!r} and {key!r} are the same repository: names are compared without case")
        return value

    @field_validator("pace", "deploy_wait", mode="before")
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
        is_odd = NOT_IN_A_URL.search(value) is not None
        if is_odd or parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an http:// or https:// URL without query or fragment")
        if parts.username or parts.password:
            raise ValueError("must not hold a user name or password: name the token's variable in token_env")
        if value.rstrip("/").endswith("/api/0"):
            raise ValueError(f"must end before /api/0: {value.rstrip('/').removesuffix('/api/0')}")
        return value.rstrip("/")


class RuleTable(_Strict):
    repo: _Repositories
    name: _Text | None = None
    refs: _Texts = ["refs/tags/*"]
    target: _Texts | None = None
    projects: Annotated[list[_Text], Field(min_length=1, max_length=100)] | None = None
    release: _Text | None = None
    set_commits: Literal["auto", "payload", "refs", "skip"] = "auto"
    finalize: bool = True
    environment: Annotated[str, _like(r"[^/\r\n\f\t\\]{1,64}", "1 to 64 characters, none a slash or line break")] | None = None
    continue_: Annotated[bool, Field(alias="continue")] = False
    shared: bool = False

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


class SourceTable(_Strict):
    provider: Annotated[str, _like("|".join(PROVIDER_NAMES), " or ".join(map(repr, PROVIDER_NAMES)))]
    secret_env: Annotated[str, _like(_VARIABLE, f"{_NAME_OF_ONE}, not the secret")]
    repositories: _Texts
    name: _Text | None = None

    @field_validator("secret_env")
    @classmethod
    def _is_its_own(cls, value: str) -> str:
        if value in set(map(secret_variable, PROVIDER_NAMES)):
            raise ValueError(f"must be another variable: {value} speaks for every repository that no source claims")
        return value

    @field_validator("repositories")
    @classmethod
    def _has_no_provider(cls, value: list[str]) -> list[str]:
        for pattern in value:
            if ":" in pattern or ("/" not in pattern.strip("/") and "*" not in pattern):
                raise ValueError(f"{pattern!r} must be a full name without the provider, such as acme/web or acme/*")
        return value


class NamingTable(_Strict):
    """How tags are read. None: as [commits] says, or as without it."""

    tag: _Texts | None = None
    final_suffixes: (
        Annotated[list[Annotated[str, _like(r"[A-Za-z]{1,50}", "a word of letters")]], Field(max_length=100)] | None
    ) = None
    base: _Texts | None = None
    prereleases: bool | Literal["skip", "count"] | None = None

    @field_validator("tag")
    @classmethod
    def _templates(cls, value: list[str] | None) -> list[str] | None:
        for template in value or ():
            if fault := check_tag_template(template):
                raise ValueError(f"{template!r} {fault}")
        return value


class NamedRepositoriesTable(NamingTable):
    repo: _Texts

    @field_validator("repo")
    @classmethod
    def _has_provider(cls, value: list[str]) -> list[str]:
        return _check_repositories(value)


class CommitsTable(NamingTable):
    wait: Annotated[int, Field(ge=0, le=86_400)] = 60
    file_calls: Annotated[int, Field(ge=0, le=10_000)] = 30
    first_release: Annotated[int, Field(ge=1, le=1_000)] = 20
    keep_days: Annotated[int, Field(ge=1, le=3_650)] = 365
    repositories: Annotated[list[NamedRepositoriesTable], Field(max_length=200)] = []


class ReconcileTable(_Strict):
    """Off without the table."""

    every: Annotated[str, _like(r"[1-9][0-9]{0,3}[mhd]", "a time such as 30m, 6h or 1d")]
    repositories: _Repositories = ["*:*"]

    @field_validator("every")
    @classmethod
    def _not_too_often(cls, value: str) -> str:
        if not _SHORTEST <= read_span(value) <= _LONGEST:
            raise ValueError("must be between 5m and 30d")
        return value


class File(_Strict):
    targets: dict[Annotated[str, _like(r"[A-Za-z0-9_-]{1,64}", "a name of letters, digits, _ and -")], TargetTable] = {}
    rules: Annotated[list[RuleTable], Field(max_length=1000)] = []
    commits: CommitsTable = CommitsTable()
    sources: Annotated[list[SourceTable], Field(max_length=200)] = []
    reconcile: ReconcileTable | None = None
