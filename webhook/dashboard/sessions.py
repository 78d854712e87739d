"""Who a visitor is: signed cookies, and the token of each form. Knows no page.

Each role has a key of its own, derived from its own token: a viewer, who knows one token, can make no operator's cookie, and
whoever changes a token ends every session that it opened. Keys are derived slowly: each visitor is given a cookie, and could
try guesses at the tokens on that cookie, at home, where no limit is.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from itsdangerous import BadData, URLSafeTimedSerializer

from shared.config.settings import Settings

Role = Literal["operator", "viewer"]
COOKIE = "tagship_session"
LASTS_SECONDS = 12 * 3600


@dataclass(frozen=True, slots=True)
class Session:
    """`role` None: nobody yet; the cookie then only ties the sign-in form to this browser."""

    role: Role | None
    id: str


class Sessions:
    """Makes and reads cookies."""

    def __init__(self, settings: Settings) -> None:
        self._tokens: tuple[tuple[Role, str | None], ...] = (
            ("operator", settings.ops_token),
            ("viewer", settings.ops_read_token),
        )
        # A role whose token is not set has no key, so that nothing is ever its cookie.
        seeds: dict[Role | None, str] = {role: f"{role}\n{token}" for role, token in self._tokens if token}
        # Nobody's cookies prove nothing. All processes share their key.
        seeds[None] = "\n".join(["nobody", *seeds.values()]) if seeds else secrets.token_hex(32)
        self._keys = {role: _derive(seed.encode()) for role, seed in seeds.items()}
        self._signers = {role: URLSafeTimedSerializer(key, salt="session") for role, key in self._keys.items()}

    @property
    def is_configured(self) -> bool:
        return any(token for _, token in self._tokens)

    def role_of(self, given: str) -> Role | None:
        """The role that a token proves; all tokens are always compared, each in constant time."""
        asked = given.strip().encode("utf-8", "replace")
        proved = [role for role, token in self._tokens if hmac.compare_digest((token or "").encode(), asked) and token]
        return proved[0] if proved else None

    def open(self, role: Role | None) -> Session:
        return Session(role, secrets.token_urlsafe(18))

    def write(self, session: Session) -> str:
        return self._signers[session.role].dumps([session.role, session.id])

    def read(self, cookie: str | None) -> Session | None:
        """None for a cookie that is missing, old, or not ours."""
        for role, signer in self._signers.items():
            try:
                named, session_id = signer.loads(cookie or "", max_age=LASTS_SECONDS)
            except (BadData, ValueError, TypeError):
                continue
            return Session(role, session_id) if named == role else None
        return None

    def form_token(self, session: Session) -> str:
        return hmac.new(self._keys[session.role], f"form {session.id}".encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, session: Session, given: str) -> bool:
        return hmac.compare_digest(self.form_token(session).encode(), given.encode("utf-8", "replace"))


@lru_cache(maxsize=12)
def _derive(seed: bytes) -> bytes:
    """Some fifty milliseconds and 16 MiB a guess, once for us."""
    return hashlib.scrypt(seed, salt=b"tagship dashboard session", n=2**14, r=8, p=1, dklen=32)
