"""Whether the operators' tokens are fit to stand on the internet. Pure."""

from __future__ import annotations

from collections.abc import Mapping

SHORTEST = 16
_REMEDY = "give it a random one, such as `openssl rand -hex 24` prints"
# What stands in guides and in lists of guesses, and is long enough otherwise. Compared without case.
EXAMPLES = frozenset(
    {
        "0123456789abcdef",
        "1234567890123456",
        "abcdefghijklmnop",
        "adminadminadminadmin",
        "change-me-change-me",
        "changemechangeme",
        "correct-horse-battery-staple",
        "correcthorsebatterystaple",
        "my-secret-ops-token",
        "passwordpassword",
        "password12345678",
        "qwertyuiopasdfgh",
        "replace-with-a-secret",
        "secretsecretsecret",
        "super-secret-token",
        "supersecrettoken",
        "your-ops-token-here",
        "your-secret-token",
    }
)


def token_faults(tokens: Mapping[str, str | None], webhook_secrets: Mapping[str, frozenset[str]]) -> list[str]:
    """One sentence for each token that must not be used. `tokens`: by variable; `webhook_secrets`: by the variable of each."""
    faults = []
    seen: dict[str, str] = {}
    for name, token in tokens.items():
        if token is None:
            continue
        shared_with = next((other for other, secrets in webhook_secrets.items() if token in secrets), seen.get(token))
        seen.setdefault(token, name)
        if len(token) < SHORTEST:
            faults.append(f"{name} has {len(token)} characters, at least {SHORTEST} are needed: {_REMEDY}")
        elif len(set(token)) == 1:
            faults.append(f"{name} repeats one character: {_REMEDY}")
        elif token.lower() in EXAMPLES:
            faults.append(f"{name} is an example that anyone may try: {_REMEDY}")
        elif shared_with is not None:
            faults.append(f"{name} is the same as {shared_with}, whose holders would get its rights: {_REMEDY}")
    return faults
