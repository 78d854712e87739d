"""How this machine reaches others: the proxies and the certificates that the usual variables name. Reads and checks only."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx2

_SCHEMES = ("http", "https", "socks5", "socks5h")
_WANTED = "must be the URL of a proxy, http://, https:// or socks5:// with a host, such as http://proxy.example.com:3128"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`proxies`: {URL pattern of httpx: proxy, or None for a direct connection}.

    `ca_file`, `ca_folder`: whose certificates are trusted, instead of those of the system.
    """

    proxies: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    ca_file: str | None = None
    ca_folder: str | None = None

    def passwords(self) -> set[str]:
        """Those that stand in the proxies' URLs, as written and decoded."""
        found = {httpx2.URL(url).userinfo.decode().partition(":")[2] for url in self.proxies.values() if url is not None}
        return {spelled for password in found if password for spelled in (password, unquote(password))}


def read_outgoing(environ: Mapping[str, str]) -> tuple[Outgoing, list[str]]:
    """What curl and others read, and one sentence for each fault. The lower-case name of a proxy's variable goes first.

    An empty variable counts as not set, as it does for everybody who reads these.
    """
    faults: list[str] = []
    proxies: dict[str, str | None] = {}
    for pattern, capitals in (("http://", "HTTP_PROXY"), ("https://", "HTTPS_PROXY"), ("all://", "ALL_PROXY")):
        name = next((name for name in (capitals.lower(), capitals) if environ.get(name)), None)
        if name is None:
            continue
        value = environ[name].strip()
        url = value if "://" in value else f"http://{value}"
        if _is_proxy(url):
            proxies[pattern] = url
        else:
            faults.append(f"{name} {_WANTED}")  # its value may hold a password
    direct = [entry.strip() for entry in (environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(",")]
    if "*" in direct:
        proxies = {}
    proxies |= {_direct(entry): None for entry in direct if entry and entry != "*" and _is_pattern(_direct(entry))}
    ca_file, ca_folder = environ.get("SSL_CERT_FILE") or None, environ.get("SSL_CERT_DIR") or None
    faults += _certificate_faults(ca_file, ca_folder)
    return Outgoing(proxies, ca_file, ca_folder), faults


def make_tls_context(outgoing: Outgoing) -> ssl.SSLContext:
    """Raises OSError for certificates that cannot be read; `read_outgoing` has named that fault before."""
    if outgoing.ca_file is None and outgoing.ca_folder is None:
        return _usual_context()
    return ssl.create_default_context(cafile=outgoing.ca_file, capath=outgoing.ca_folder)


@cache
def _usual_context() -> ssl.SSLContext:
    """Shared by all clients: reading the certificates takes 40 ms."""
    return httpx2.create_ssl_context(trust_env=False)


def _is_proxy(url: str) -> bool:
    try:
        read = httpx2.Proxy(url).url
        _ = urlsplit(url).port  # out of range
    except (httpx2.InvalidURL, ValueError):
        return False
    return read.scheme in _SCHEMES and bool(read.host) and read.path in ("", "/") and not read.query


def _direct(entry: str) -> str:
    """An entry of NO_PROXY as a pattern: a URL, an address, a network, `localhost`, or a domain with all below it."""
    if "://" in entry:
        return entry
    try:
        network = ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        is_exact = entry.lower() == "localhost" or entry.startswith(("*.", "["))
        return f"all://{entry}" if is_exact else f"all://*{entry}"
    host = f"[{network.network_address}]" if network.version == 6 else str(network.network_address)
    return f"all://{host}/{network.prefixlen}" if "/" in entry else f"all://{host}"


def _is_pattern(pattern: str) -> bool:
    """One that cannot be read is ignored, as curl and httpx do."""
    try:
        httpx2.Client(transport=httpx2.BaseTransport(), mounts={pattern: None}).close()
    except (httpx2.InvalidURL, ValueError):
        return False
    return True


def _certificate_faults(ca_file: str | None, ca_folder: str | None) -> list[str]:
    faults = []
    if ca_file is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=ca_file)
        except ssl.SSLError:
            faults.append(f"SSL_CERT_FILE names a file without a certificate (PEM) in it: {ca_file}")
        except (OSError, ValueError):
            faults.append(f"SSL_CERT_FILE names a file that cannot be read: {ca_file}")
    if ca_folder is not None and not any(Path(part).is_dir() for part in ca_folder.split(":")):
        faults.append(f"SSL_CERT_DIR names no folder: {ca_folder}")
    return faults
