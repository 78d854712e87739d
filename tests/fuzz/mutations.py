"""Makes odd things out of sound ones: bytes, JSON, headers, TOML. Pure: the same random source, the same result."""

from __future__ import annotations

import copy
import json
import re
from random import Random
from typing import Any

TEXTS = (
    *(
        "",
        " ",
        "\x00",
        "\ud800",
        "\udfff\ud800",
        "\u2028",
        "\x1b[2J",
        "\r\nX-A: b",
        "'",
        '"',
        "\\",
        "%00",
        "%",
        "%ff",
        "../../etc/passwd",
    ),
    *(
        "refs/heads/main",
        "refs/tags/",
        "refs/tags/latest",
        "refs/tags/a..b",
        "refs/heads/{default_branch}",
        "HEAD",
        "0" * 40,
        "f" * 64,
    ),
    *(
        "acme/shop",
        "acme//shop",
        "/",
        "a/" * 200 + "b",
        ".",
        "..",
        "acme/..",
        "ACME/SHOP",
        "<script>alert(1)</script>",
        "{{7*7}}",
        "${x}",
    ),
    *("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-02-30T00:00:00Z", "1e999", "NaN", "-0", "null", "true"),
    *(
        "é" * 100,
        "👩‍👩‍👧‍👦" * 20,
        "a" * 1_025,
        "v" * 201,
        "x" * 70_000,
        "a@b",
        "@",
        "{tag}",
        "{sha:99}",
        "*" * 50,
        "[" * 30,
        "(?" * 9,
    ),
)
NUMBERS = (0, -1, 1, 2**31, 2**53, 2**63, -(2**63) - 1, 10**400, 1e308, -0.0, 0.1, 1e-320)
KEYS = (
    "ref",
    "after",
    "before",
    "repository",
    "project",
    "full_name",
    "commits",
    "id",
    "author",
    "head_commit",
    "__proto__",
    "",
    "\x00",
)


def odd(random: Random, depth: int = 0) -> Any:
    """Any JSON value, the odd ones oftener than not."""
    kind = random.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return random.choice((None, True, False))
    if kind in (1, 2):
        return random.choice(NUMBERS)
    if kind < 6:
        return random.choice(TEXTS)
    if kind == 6:
        return [odd(random, depth + 1) for _ in range(random.choice((0, 1, 3, 30)))]
    if kind == 7:
        return {random.choice(KEYS): odd(random, depth + 1) for _ in range(random.choice((0, 1, 3)))}
    return f"<deep {random.choice((5, 99, 100, 101, 500, 50_000))}>"  # becomes so many levels when it is written


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside."""
    found = [path] if path else []
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        found += places(inner, (*path, step))
    return found


def mutate_json(random: Random, value: Any) -> Any:
    """A copy with one to four places dropped, replaced, renamed, repeated or exchanged."""
    value = copy.deepcopy(value)
    for _ in range(random.randint(1, 4)):
        if not (found := places(value)):
            return odd(random)
        path = random.choice(found)
        inner = value
        for step in path[:-1]:
            inner = inner[step]
        last, act = path[-1], random.randrange(6)
        if act == 0:
            del inner[last]
        elif act == 1 and isinstance(inner, dict):
            inner[random.choice(KEYS)] = inner.pop(last)
        elif act == 2 and isinstance(inner, list):
            inner[last:last] = [inner[last]] * random.choice((1, 20, 300) if len(found) < 2_000 else (1,))
        elif act == 3:
            other = random.choice(found)
            taken: Any = value
            try:
                for step in other:
                    taken = taken[step]
                inner[last] = copy.deepcopy(taken)
            except (KeyError, IndexError, TypeError):
                inner[last] = None
        else:
            inner[last] = odd(random)
    return value


def written(random: Random, value: Any) -> bytes:
    """The value as JSON of some spelling: with or without blanks, escapes, sorted keys, a key that stands twice."""
    text = json.dumps(
        value,
        ensure_ascii=random.random() < 0.7,
        separators=random.choice(((",", ":"), (", ", ": "), (" ,\n", "\t:\r"))),
        sort_keys=random.random() < 0.2,
    )
    if random.random() < 0.1 and text.endswith("}") and len(text) > 2:
        text = f"{text[:-1]},{json.dumps(random.choice(KEYS))}:{json.dumps(odd(random))}}}"
    text = re.sub(r'"<deep (\d+)>"', lambda found: "[" * int(found[1]) + "]" * int(found[1]), text)
    return text.encode("utf-8", "surrogatepass")


def mutate_bytes(random: Random, data: bytes) -> bytes:
    """One to five bytes or runs of them changed, cut out, put in, doubled; or the end cut off."""
    found = bytearray(data)
    for _ in range(random.randint(1, 5)):
        at = random.randrange(len(found) + 1)
        act = random.randrange(6)
        if act == 0 and at < len(found):
            found[at] ^= 1 << random.randrange(8)
        elif act == 1:
            del found[at : at + random.choice((1, 2, 10, 100))]
        elif act == 2:
            found[at:at] = random.choice(
                (b"\x00", b"\xff", b"\xed\xa0\x80", b"[" * 200, b'"', b"\\", b"\\u0000", b"\\ud800", b"1e999", b"NaN", b"-")
            )
        elif act == 3:
            start = random.randrange(len(found) + 1)
            found[at:at] = found[start : start + random.choice((1, 8, 64, 512))]
        elif act == 4:
            found[at:at] = random.randbytes(random.choice((1, 4, 32)))
        else:
            del found[at:]
    return bytes(found)


def mutate_headers(random: Random, headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """As they go over the wire, with up to two of them dropped, repeated, emptied or made odd; never one that ends early."""
    found = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    for _ in range(random.choice((0, 0, 0, 1, 2))):
        at = random.randrange(len(found))
        name, value = found[at]
        act = random.randrange(6)
        if act == 0:
            del found[at]
        elif act == 1:
            found.append((name, random.choice((value, b"", b"other"))))
        elif act == 2:
            found[at] = (name, clean(random.choice(TEXTS)[:2_000].encode("utf-8", "surrogatepass")))
        elif act == 3:
            found[at] = (name, clean(mutate_bytes(random, value)))
        elif act == 4:
            found[at] = (name.replace(b"-", b"_"), value)
        else:
            odd_one = random.choice(
                (b"Content-Encoding", b"Transfer-Encoding-X", b"X-Forwarded-For", b"Cookie", b"Range", b"Expect-X", b"Host")
            )
            found.append((odd_one, clean(random.choice(TEXTS)[:500].encode("utf-8", "surrogatepass"))))
        if not found:
            break
    return found


def clean(value: bytes) -> bytes:
    """What a header may hold: the HTTP parser in front refuses control characters by itself, and closes the connection."""
    return bytes(byte for byte in value if byte == 9 or (byte >= 32 and byte != 127))


def mutate_text(random: Random, text: str) -> str:
    """Lines and words of a configuration changed."""
    lines = text.split("\n")
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(lines))
        act = random.randrange(6)
        if act == 0:
            del lines[at]
        elif act == 1:
            lines.insert(at, random.choice(lines))
        elif act == 2:
            key = lines[at].partition("=")[0]
            lines[at] = f"{key}= {toml_value(random)}"
        elif act == 3:
            lines[at] = lines[at][: random.randrange(len(lines[at]) + 1)]
        elif act == 4:
            lines[at] = mutate_bytes(random, lines[at].encode()).decode("utf-8", "replace")
        else:
            lines.insert(
                at,
                f"{random.choice(('repo', 'refs', 'url', 'odd key', 'secret_env', 'release', 'wait'))} = {toml_value(random)}",
            )
        if not lines:
            return ""
    return "\n".join(lines)


def toml_value(random: Random) -> str:
    return random.choice(
        (
            *('""', "[]", "{}", "[[]]", "true", "-1", "0", "1e999", "nan", "inf", "9" * 30, "1979-05-27T07:32:00Z", "[1, 'a']"),
            json.dumps(random.choice(TEXTS)[:3_000].encode("utf-8", "replace").decode()),
            "[" + json.dumps(random.choice(TEXTS)[:300].encode("utf-8", "replace").decode()) + "]",
        )
    )
