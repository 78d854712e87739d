"""Which secrets are good at a provider's door, and for which repositories each of them speaks (docs/decisions/0009).

Names of repositories are compared without case: the forges take `Acme/Shop` and `acme/shop` for the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.config import ops_tokens, rules_file
from shared.config.settings import Settings
from shared.domain.provider_settings import secret_variable
from shared.domain.rules import Rules, Source, names_repository
from shared.errors import SettingsError
from shared.forges import PROVIDERS
from shared.infra.network import is_loopback


@dataclass(frozen=True, slots=True)
class _Bound:
    """The secrets of one source, and the globs of what they speak for."""

    patterns: tuple[str, ...]
    secrets: frozenset[str] = field(repr=False)


class Keyring:
    """One provider's secrets. `secrets` are all that a signature is tried against, each once."""

    def __init__(self, variable: str, plain: Sequence[str], sources: Sequence[tuple[Source, tuple[str, ...]]] = ()) -> None:
        self._plain = frozenset(plain)
        self._bound = tuple(_Bound(source.repositories, frozenset(secrets)) for source, secrets in sources)
        # What stands in the log, so that one sees when nobody uses the old one of two any more.
        self._labels: dict[str, str] = {}
        for name, secrets in ((variable, plain), *((source.secret_env, secrets) for source, secrets in sources)):
            for number, secret in enumerate(secrets, 1):
                self._labels.setdefault(secret, name if len(secrets) == 1 else f"{name} ({number} of {len(secrets)})")
        self.secrets = tuple(self._labels)
        self.is_bound = bool(sources)

    def label(self, secret: str) -> str:
        """The variable that holds it, and which of its values it is. Never the secret."""
        return self._labels[secret]

    def speaks_for(self, vouching: Iterable[str], full_name: str | None) -> bool:
        """Whether one of the secrets that vouch for a request covers the repository that it names.

        A repository that sources claim is theirs alone; any other is the plain secret's. A request that names none (an
        organization's ping) makes nothing, so any secret will do.
        """
        if not self.is_bound or full_name is None:
            return True
        return any(secret in secrets for secret in vouching for secrets in self._claiming(full_name))

    def secret_for(self, full_name: str | None) -> str | None:
        """The first secret that speaks for this repository; None where there is none."""
        return next((secret for secret in self.secrets if self.speaks_for((secret,), full_name)), None)

    def _claiming(self, full_name: str) -> list[frozenset[str]]:
        return [bound.secrets for bound in self._bound if names_repository(bound.patterns, full_name)] or [self._plain]


def make_keyrings(settings: Settings, sources: Sequence[Source]) -> Mapping[str, Keyring]:
    """provider -> its keyring; one without any secret is absent, its door shut. Raises SettingsError with every fault."""
    faults = [
        f"{secret_variable(name)} {what}"
        for name, secrets in settings.webhook_secrets.items()
        for what in dict.fromkeys(filter(None, map(PROVIDERS[name].check_secret, secrets)))
    ]
    found: dict[str, list[tuple[Source, tuple[str, ...]]]] = {}
    file = settings.config_path.name if settings.config_path else "sources"
    for index, source in enumerate(sources):
        where = f"{file}: sources[{index}].secret_env"
        secrets, problems = settings.secrets(source.secret_env)
        problems += dict.fromkeys(
            f"{source.secret_env} {what}" for what in map(PROVIDERS[source.provider].check_secret, secrets) if what is not None
        )
        if not secrets and not problems:
            problems = [f"{source.secret_env} is not set"]
        faults += [f"{where}: {problem}" for problem in problems]
        found.setdefault(source.provider, []).append((source, secrets))
    if faults:
        raise SettingsError(faults)
    return {
        name: Keyring(secret_variable(name), settings.webhook_secrets.get(name, ()), found.get(name, ()))
        for name in PROVIDERS
        if name in found or settings.webhook_secrets.get(name)
    }


def check_config(settings: Settings) -> Rules:
    """The rules in force. Raises SettingsError with every fault of the file, its tokens and the webhook secrets."""
    rules = rules_file.load(settings)
    faults = rules_file.token_faults(rules, settings)
    try:
        check_ops_tokens(settings, make_keyrings(settings, rules.sources))
    except SettingsError as problem:
        faults += problem.faults
    if faults:
        raise SettingsError(faults)
    return rules


def check_ops_tokens(settings: Settings, keyrings: Mapping[str, Keyring]) -> None:
    """Raises SettingsError with every fault of OPS_TOKEN and OPS_READ_TOKEN: weak ones, and those that others hold too."""
    tokens = {"OPS_TOKEN": settings.ops_token, "OPS_READ_TOKEN": settings.ops_read_token}
    secrets: dict[str, frozenset[str]] = {}
    for keyring in keyrings.values():
        for secret in keyring.secrets:
            label = keyring.label(secret)
            secrets[label] = secrets.get(label, frozenset()) | {secret}
    if faults := ops_tokens.token_faults(tokens, secrets):
        raise SettingsError(faults)


def token_in_the_clear(settings: Settings, keyrings: Mapping[str, Keyring]) -> str | None:
    """One sentence of warning when GitLab's plain token, which is the secret itself, would be read off a network."""
    plain = "gitlab" in keyrings and any(not secret.startswith("whsec_") for secret in keyrings["gitlab"].secrets)
    if not plain or settings.host in ("localhost", "") or is_loopback(settings.host):
        return None
    return (
        f"listening on {settings.host} without TLS: GitLab's plain token comes with every webhook and can be read on its way; "
        "put HTTPS in front, or use a signing token (whsec_...)"
    )
