"""Ids that sort by the time they were made (UUID version 7, RFC 9562), as 32 hexadecimal digits."""

from __future__ import annotations

import secrets
from datetime import datetime


def new_id(now: datetime) -> str:
    milliseconds = int(now.timestamp() * 1000) & (2**48 - 1)
    random = secrets.randbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (2**62 - 1)
    return f"{value:032x}"


def first_id(moment: datetime) -> str:
    """Sorts before every id made at this moment or later, and after every one made in an earlier millisecond."""
    return f"{max(0, int(moment.timestamp() * 1000)) & (2**48 - 1):012x}" + "0" * 20
