"""Settings: the environment, read once, typed, with every fault named at once. Nothing else of ours reads `os.environ`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from shared.config.env_files import is_set
from shared.config.near_names import near_names
from shared.config.org_token import read_org_token
from shared.config.variable_reader import VariableReader
from shared.domain.provider_settings import APIS, PROVIDER_NAMES, ApiSettings, secret_variable
from shared.errors import SettingsError
from shared.infra.network import bare_host
from shared.infra.outgoing import Outgoing, read_outgoing
from shared.infra.processors import usable_processors

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class ForgeSettings:
    """A provider's API. `is_named`: someone set its address or token, so it is worth waiting for."""

    url: str
    token: str | None = field(repr=False)
    is_named: bool
    token_file: str | None = None

    def current_token(self) -> str | None:
        """The token that its file holds now; the one of the start where it has no file, or one that cannot be read."""
        if self.token_file is None:
            return self.token
        return VariableReader({"TOKEN_FILE": self.token_file}).token("TOKEN") or self.token


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says (contract section 2). Secrets are never shown by repr()."""

    host: str = "127.0.0.1"
    port: int = 8000
    releases_port: int = 8001
    data_dir: Path = Path("var")
    database_url: str = field(default="", repr=False)
    releases_database_url: str = field(default="", repr=False)
    database_connections: int | None = None  # of each process at most; None: as many as its threads may want
    broker_url: str | None = field(default=None, repr=False)
    web_concurrency: int = 1
    worker_concurrency: int = 1
    public_url: str = ""  # the receiver's and the endpoint's own, where they are not reached at the root of their host
    releases_public_url: str = ""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()  # who may say by X-Forwarded-For whose request it is
    webhook_secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)  # provider -> active secrets
    forges: Mapping[str, ForgeSettings] = field(default_factory=dict)  # provider -> its API; one that is off is absent
    sentry_url: str = ""
    is_target_embedded: bool = False  # neither SENTRY_URL nor an organization token names another
    sentry_auth_token: str | None = field(default=None, repr=False)
    sentry_org: str = "local"
    sentry_projects: tuple[str, ...] = ("app",)
    target_faults: tuple[str, ...] = ()  # what a default target at SENTRY_URL, and a rule for it, lack
    project_faults: tuple[str, ...] = ()
    config_path: Path | None = None
    ops_token: str | None = field(default=None, repr=False)
    ops_read_token: str | None = field(default=None, repr=False)
    outgoing: Outgoing = field(default_factory=Outgoing)
    log_format: str = "json"
    log_level: str = "INFO"
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)  # for the `token_env` names of the config file

    def secret(self, name: str) -> str | None:
        """The secret that the config file names by its variable (or by `NAME_FILE`), None when it is not set."""
        return VariableReader(self.environ).text(name)

    def secrets(self, name: str) -> tuple[tuple[str, ...], list[str]]:
        """The same where several may stand, comma-separated; and what is wrong with them, one sentence each."""
        read = VariableReader(self.environ)
        return read.several(name), read.faults

    def every_secret(self, names: Iterable[str] = ()) -> set[str]:
        """All secret values that this process holds, those of the variables `names` too: what no log line may show."""
        found = {self.sentry_auth_token, self.ops_token, self.ops_read_token}
        found |= {secret for secrets in self.webhook_secrets.values() for secret in secrets}
        found |= {forge.token for forge in self.forges.values()}
        found |= {secret for name in names for secret in (self.secret(name), *self.secrets(name)[0])}
        found |= self.outgoing.passwords()
        for url in (self.database_url, self.releases_database_url, self.broker_url):
            password = urlsplit(url).password if url else None
            found |= {password, unquote(password) if password else None}
        return {secret for secret in found if secret}


def from_env(environ: Mapping[str, str], *, is_terminal: bool = False) -> Settings:
    """Read every setting. Raises SettingsError with one sentence per fault, all faults together."""
    read = VariableReader(environ)
    cores = usable_processors()
    data_dir = Path(read.text("DATA_DIR") or "var")
    releases_port = read.port("RELEASES_PORT", 8001)
    config = read.text("TAGSHIP_CONFIG")
    if config is not None and not Path(config).is_file():
        read.fault("TAGSHIP_CONFIG", f"names no file: {config}")
    default_config = Path("tagship.toml") if Path("tagship.toml").is_file() else None
    outgoing, faults = read_outgoing(environ)
    read.faults += faults
    target = _read_target(read, environ, releases_port)
    settings = Settings(
        host=bare_host(read.text("HOST") or "127.0.0.1"),
        port=read.port("PORT", 8000),
        releases_port=releases_port,
        data_dir=data_dir,
        database_url=read.database_url("DATABASE_URL", data_dir / "tagship.sqlite3"),
        releases_database_url=read.database_url("RELEASES_DATABASE_URL", data_dir / "releases.sqlite3"),
        database_connections=read.number("DATABASE_CONNECTIONS", 0, 1, 256) or None,
        broker_url=read.broker_url(),
        web_concurrency=read.count("WEB_CONCURRENCY", cores),
        worker_concurrency=read.count("WORKER_CONCURRENCY", cores),
        public_url=read.public_url("PUBLIC_URL"),
        releases_public_url=read.public_url("RELEASES_PUBLIC_URL"),
        trusted_proxies=read.networks("TRUSTED_PROXIES"),
        webhook_secrets={name: secrets for name in PROVIDER_NAMES if (secrets := read.several(secret_variable(name)))},
        forges={name: forge for name, api in APIS.items() if (forge := _read_forge(read, api)) is not None},
        **target,
        config_path=Path(config) if config else default_config,
        ops_token=read.token("OPS_TOKEN"),
        ops_read_token=read.token("OPS_READ_TOKEN"),
        outgoing=outgoing,
        log_format=read.choice("LOG_FORMAT", ("console", "json"), "console" if is_terminal else "json"),
        log_level=read.choice("LOG_LEVEL", _LOG_LEVELS, "INFO"),
        environ=dict(environ),
    )
    if faults := [*read.faults, *near_names(environ, settings.config_path)]:
        raise SettingsError(faults)
    return settings


def _read_target(read: VariableReader, environ: Mapping[str, str], releases_port: int) -> dict[str, Any]:
    """The default target's settings. An organization token names its server and organization, as it does for sentry-cli."""
    token, url, org = read.token("SENTRY_AUTH_TOKEN"), read.target_url("SENTRY_URL", ""), read.text("SENTRY_ORG")
    projects, has_url = read.several("SENTRY_PROJECT"), is_set(environ, "SENTRY_URL")
    named = read_org_token(token)
    if named is not None and (fault := named.contradiction(org, url or None)) is not None:
        read.fault("SENTRY_AUTH_TOKEN", fault)
    org = org or (named.org if named else None)
    own = named.urls[0] if named and named.urls and not has_url else None
    where = "the organization token names its server" if own else "SENTRY_URL is set"
    is_embedded = not has_url and own is None
    return {
        "sentry_url": url or own or f"http://127.0.0.1:{releases_port}",
        "is_target_embedded": is_embedded,
        "sentry_auth_token": token,
        "sentry_org": org or "local",
        "sentry_projects": projects or ("app",),
        "target_faults": () if is_embedded or org else (f"SENTRY_ORG is not set, and {where}: name the organization",),
        "project_faults": () if is_embedded or projects else (f"SENTRY_PROJECT is not set, and {where}: name a project",),
    }


def _read_forge(read: VariableReader, api: ApiSettings) -> ForgeSettings | None:
    """The address `off`, given or by default, means: never ask this API."""
    if (read.environ.get(api.address) or api.default).strip().lower() == "off":
        return None
    url, token = read.http_url(api.address, api.default), read.token(api.token)
    file = read.environ.get(f"{api.token}_FILE")
    return ForgeSettings(url, token, is_named=token is not None or url != api.default, token_file=file)
