"""The address of the broker, checked before a library dies of it with a trace."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

SCHEMES = ("redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps")
MASTER = "master_name"


def broker_fault(url: str) -> str | None:
    """What is wrong with it, as the rest of a sentence; None when it can be one. Never quotes it: it holds a password."""
    if not url.startswith(tuple(f"{scheme}://" for scheme in SCHEMES)):
        return f"must begin with {', '.join(f'{scheme}://' for scheme in SCHEMES[:-1])} or {SCHEMES[-1]}://"
    address, _, query = url.partition("?")
    try:
        if url.startswith("redis+socket://"):
            return (
                None if urlsplit(address).path.strip("/") else "must name a socket, as in redis+socket:///run/redis/redis.sock"
            )
        if url.startswith("sentinel://") and not parse_qs(query).get(MASTER):
            return f"must say which master the sentinels watch: sentinel://one:26379;sentinel://two:26379/0?{MASTER}=mymaster"
        faults = [fault for part in address.split(";") if (fault := _fault_of_one(part)) is not None]
    except ValueError:
        return "is not a URL: check brackets, port, and characters of the password that need to be percent-encoded"
    return faults[0] if faults else None


def _fault_of_one(url: str) -> str | None:
    """Raises ValueError."""
    parts = urlsplit(url)
    _ = parts.port
    if not parts.hostname:
        return "names no host"
    database = parts.path.strip("/")
    if not url.startswith("amqp") and database and not database.isdigit():
        return "must end with the number of a database, such as /0, or with the port"
    return None
