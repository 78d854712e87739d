"""Reads variables of the environment, and of the files that `NAME_FILE` names, as typed values; collects every fault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from shared.config.broker_urls import broker_fault
from shared.infra.database import normalise_url
from shared.infra.public_path import is_public_path, path_of

# urlsplit drops some of these and keeps others; every call would fail on them, or go elsewhere than it looks.
NOT_IN_A_URL = re.compile(r"[\s\\\x00-\x1f\x7f-\x9f]")


class VariableReader:
    """Reads variables and collects faults; a variable that is set but empty is a fault, never "not set"."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.faults: list[str] = []

    def fault(self, name: str, what: str) -> None:
        self.faults.append(f"{name} {what}")

    def text(self, name: str) -> str | None:
        value, file = self.environ.get(name), self.environ.get(f"{name}_FILE")
        if value is not None and file is not None:
            self.fault(name, f"and {name}_FILE are both set: keep one")
            return None
        if file is not None:
            return self._from_file(f"{name}_FILE", file)
        if value is None:
            return None
        if not value.strip():
            self.fault(name, "is set but empty: give it a value or remove it")
            return None
        return value.strip()

    def _from_file(self, name: str, file: str) -> str | None:
        try:
            value = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError, ValueError):
            self.fault(name, f"names a file that cannot be read: {file}")
            return None
        if not value:
            self.fault(name, f"names an empty file: {file}")
            return None
        return value

    def token(self, name: str) -> str | None:
        """A secret that goes into a header, which holds visible ASCII only."""
        value = self.text(name)
        if value is not None and not all("!" <= char <= "~" for char in value):
            self.fault(name, "must be visible ASCII without spaces, as tokens are")
            return None
        return value

    def several(self, name: str) -> tuple[str, ...]:
        value = self.text(name)
        if value is None:
            return ()
        parts = tuple(part.strip() for part in value.split(","))
        if not all(parts):
            self.fault(name, "holds an empty entry between commas")
            return ()
        return parts

    def networks(self, name: str) -> tuple[IPv4Network | IPv6Network, ...]:
        found = []
        for text in self.several(name):
            try:
                found.append(ip_network(text))
            except ValueError:
                self.fault(name, f"must be addresses or networks such as 10.0.0.0/8, comma-separated, not {text!r}")
        return tuple(found)

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and low <= int(value[:9]) <= high):
            self.fault(name, f"must be a whole number from {low} to {high}, not {value!r}")
            return default
        return int(value)

    def port(self, name: str, default: int) -> int:
        return self.number(name, default, 1, 65_535)

    def count(self, name: str, default: int) -> int:
        return self.number(name, default, 1, 256)

    def choice(self, name: str, words: tuple[str, ...], default: str) -> str:
        value = self.text(name)
        if value is None:
            return default
        for word in words:
            if value.lower() == word.lower():
                return word
        self.fault(name, f"must be one of {', '.join(words)}, not {value!r}")
        return default

    def http_url(self, name: str, default: str) -> str:
        value = self.text(name)
        if value is None:
            return default
        try:
            parts = urlsplit(value)
            _ = parts.port
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
            usable = usable and NOT_IN_A_URL.search(value) is None
        except ValueError:
            usable = False
        if not usable:
            self.fault(name, "must be an http:// or https:// URL without query or fragment")
            return default
        if parts.username or parts.password:
            self.fault(name, "must not hold a user name or password: tokens have their own variable")
            return default
        return value.rstrip("/")

    def public_url(self, name: str) -> str:
        """The address of one of our own servers as others reach it."""
        url = self.http_url(name, "")
        if not is_public_path(path_of(url)):
            self.fault(name, "must have a path of letters, digits, - . _ and ~ only")
            return ""
        return url

    def target_url(self, name: str, default: str) -> str:
        """The same of a target, whose API is below /api/0."""
        url = self.http_url(name, default)
        if url.endswith("/api/0"):
            self.fault(name, f"must end before /api/0: {url.removesuffix('/api/0')}")
        return url

    def database_url(self, name: str, default: Path) -> str:
        value = self.text(name)
        if value is None:
            return f"sqlite:///{default}"
        try:
            return normalise_url(value).render_as_string(hide_password=False)
        except ValueError as problem:
            self.fault(name, str(problem))
            return f"sqlite:///{default}"

    def broker_url(self) -> str | None:
        """BROKER_URL, else REDIS_URL (what Heroku-like platforms set)."""
        name = "BROKER_URL" if {"BROKER_URL", "BROKER_URL_FILE"} & self.environ.keys() else "REDIS_URL"
        value = self.text(name)
        if value is not None and (fault := broker_fault(value)) is not None:
            self.fault(name, fault)
            return None
        return value
