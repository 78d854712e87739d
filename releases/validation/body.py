"""Request bodies: bytes to JSON values, refusing what the standard does not know. Pure."""

from __future__ import annotations

import json
from typing import NoReturn


class BodyError(ValueError):
    """Not JSON; the text goes into `detail`."""


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"Out of range float values are not JSON compliant: {name}")


def read_json(raw: bytes) -> object:
    """The value in a UTF-8 body; an empty body means an empty object, as the original reads it. Raises BodyError."""
    if not raw.strip():
        return {}
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_refuse)
    except RecursionError:
        raise BodyError("JSON parse error - nested too deeply") from None
    except UnicodeDecodeError:
        raise BodyError("JSON parse error - not UTF-8") from None
    except ValueError as problem:  # also an integer of thousands of digits
        raise BodyError(f"JSON parse error - {problem}") from None
