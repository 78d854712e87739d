"""Who a visitor is: signed cookies, the token of each form, and a brake on guessing. Knows no page.

The key is derived from the tokens, so whoever changes a token ends every session that it opened. It is derived slowly: each
visitor is given a cookie under it, and could try guesses at the tokens on that cookie, at home, where no brake is.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
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
        tokens = "\n".join(token or "" for _, token in self._tokens).encode()
        # Without a token nobody can sign in; the key is then one that nobody can know.
        seed = tokens if self.is_configured else secrets.token_bytes(32)
        self._key = _derive(seed)
        self._signer = URLSafeTimedSerializer(self._key, salt="session")

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
        return self._signer.dumps([session.role, session.id])

    def read(self, cookie: str | None) -> Session | None:
        """None for a cookie that is missing, old, or not ours."""
        try:
            role, session_id = self._signer.loads(cookie or "", max_age=LASTS_SECONDS)
        except (BadData, ValueError, TypeError):
            return None
        return Session(role, session_id)

    def form_token(self, session: Session) -> str:
        return hmac.new(self._key, f"form {session.id}".encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, session: Session, given: str) -> bool:
        return hmac.compare_digest(self.form_token(session).encode(), given.encode("utf-8", "replace"))


@lru_cache(maxsize=4)
def _derive(seed: bytes) -> bytes:
    """Some fifty milliseconds and 16 MiB a guess, once for us."""
    return hashlib.scrypt(seed, salt=b"tagship dashboard session", n=2**14, r=8, p=1, dklen=32)


class Brake:
    """At most `tries` wrong tokens a minute from one address; what is asked for meanwhile is refused unread.

    Of all wrong tokens together at most `lines` at once, and as many a minute, are worth a line of the audit log, which
    nothing ever shortens: whoever has many addresses must not fill the disk with it.
    """

    def __init__(
        self, tries: int = 5, seconds: float = 60.0, lines: int = 60, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tries, self._seconds, self._lines, self._clock = tries, seconds, lines, clock
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()
        self._written: deque[float] = deque(maxlen=lines)

    def wait(self, address: str) -> int:
        """Seconds until this address may try again, 0 for now."""
        with self._lock:
            moments = self._wrong.get(address, deque())
            now = self._clock()
            while moments and moments[0] <= now - self._seconds:
                moments.popleft()
            return 0 if len(moments) < self._tries else max(1, round(moments[0] + self._seconds - now))

    def note_wrong(self, address: str) -> bool:
        """Whether this one is to be written down."""
        with self._lock:
            now = self._clock()
            self._wrong.setdefault(address, deque(maxlen=self._tries)).append(now)
            self._wrong.move_to_end(address)
            while len(self._wrong) > 10_000:
                self._wrong.popitem(last=False)
            is_worth_a_line = len(self._written) < self._lines or self._written[0] <= now - self._seconds
            if is_worth_a_line:
                self._written.append(now)
            return is_worth_a_line
