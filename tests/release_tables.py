"""Small histories written as text, their tags, and what the rule of docs/decisions/0008 makes of each. Our own examples.

A history is written oldest first. Each commit follows the one before it, unless `^` names its parents: `r^b` is a child of
`b`, `m^c+x` a merge, `z^-` a root. Times rise in the order written.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    about: str
    history: str
    tags: str  # "name commit, name commit"
    this: str
    bases: str  # the nearest first; "" for a first release
    lists: str


def read_history(text: str) -> dict[str, tuple[str, ...]]:
    """{commit: parents}, oldest first."""
    parents: dict[str, tuple[str, ...]] = {}
    last: tuple[str, ...] = ()
    for word in text.split():
        label, _, named = word.partition("^")
        parents[label] = () if named == "-" else tuple(named.split("+")) if named else last
        last = (label,)
    return parents


def read_tags(text: str) -> dict[str, str]:
    return dict(pair.split() for pair in text.split(", "))


ROWS = [
    Row("v and release are no component", "a b c", "1.0.0 a, v1.1.0 b, release-1.2.0 c", "release-1.2.0", "v1.1.0", "c"),
    Row("fewer numbers are lower", "a b c", "jdk-21+35 a, jdk-21.0.1+12 c", "jdk-21.0.1+12", "jdk-21+35", "b c"),
    Row("a final skips its rc", "a b c d", "REL_15_0 a, REL_16_RC1 b, REL_16_0 d", "REL_16_0", "REL_15_0", "b c d"),
    Row("glued suffix", "a b c", "go1.21.0 a, go1.22rc1 b, go1.22rc2 c", "go1.22rc2", "go1.22rc1", "c"),
    Row("numbers, not letters", "a b c", "V_9_9_P1 a, V_9_9_P2 b, V_10_0_P1 c", "V_10_0_P1", "V_9_9_P2", "c"),
    Row("two lines", "a b c", "api-v1-1.0.0 a, api-v2-1.0.0 b, api-v1-1.1.0 c", "api-v1-1.1.0", "api-v1-1.0.0", "b c"),
    Row(
        "the last group behind a word",
        "a b c",
        "python-3.11-1.0.0 a, python-3.12-1.0.0 b, python-3.11-1.0.1 c",
        "python-3.11-1.0.1",
        "python-3.11-1.0.0",
        "b c",
    ),
    Row("a revision of 1.0.0", "a b c", "v1.0.0 a, v1.0.0-0.3.7 b, v1.1.0 c", "v1.1.0", "v1.0.0-0.3.7", "c"),
    Row(
        "a platform keeps the first group",
        "a b c",
        "shop-1.0.0-ubuntu-22.04 a, shop-1.1.0-ubuntu-22.04 c",
        "shop-1.1.0-ubuntu-22.04",
        "shop-1.0.0-ubuntu-22.04",
        "b c",
    ),
    Row(
        "packages",
        "a b c",
        "@acme/cli@1.0.0 a, @acme/core@3.0.0 b, @acme/cli@1.1.0 c",
        "@acme/cli@1.1.0",
        "@acme/cli@1.0.0",
        "b c",
    ),
    Row(
        "paths are components",
        "a b c",
        "server/v3.5.0 a, v3.5.0 a, server/v3.5.1 c, v3.5.1 c, pkg/v0.1.0 b",
        "server/v3.5.1",
        "server/v3.5.0",
        "b c",
    ),
    Row("a date is another line", "a b c", "v1.0.0 a, release-2026-05-01 b, v1.1.0 c", "v1.1.0", "v1.0.0", "b c"),
    Row("builds are another line", "a b c", "1.0.0 a, build-17 b, 1.1.0 c", "1.1.0", "1.0.0", "b c"),
    Row("a name without a version", "a b c", "1.0.0 a, before-refactor b, 1.1.0 c", "1.1.0", "1.0.0", "b c"),
    Row(
        "a hash as suffix", "a b c", "723.vbabdf19eb4c7 a, 725.vd9f8be0fa250 c", "725.vd9f8be0fa250", "723.vbabdf19eb4c7", "b c"
    ),
    Row("2.3.x floats", "a b c", "2.3.0 a, 2.3.x b, 2.3.1 c", "2.3.1", "2.3.0", "b c"),
    Row("v1 beside v1.1.0", "a b c", "v1.0.0 a, v1.1.0 b, v1 b, v1.2.0 c", "v1.2.0", "v1.1.0", "c"),
    Row("a moved v1", "a b c", "v1.0.0 a, v1.1.0 b, v1.2.0 c, v1 c", "v1", "v1.1.0", "c"),
    Row("final, not from an rc", "a b c d", "1.0.0 a, 2.0.0-rc.1 b, 2.0.0-rc.2 c, 2.0.0 d", "2.0.0", "1.0.0", "b c d"),
    Row("rc from an rc", "a b c d", "1.0.0 a, 2.0.0-rc.1 b, 2.0.0-rc.2 c, 2.0.0 d", "2.0.0-rc.2", "2.0.0-rc.1", "c"),
    Row("final on its rc", "a b c", "1.0.0 a, 2.0.0-rc.1 b, 2.0.0-rc.2 c, 2.0.0 c", "2.0.0", "1.0.0", "b c"),
    Row("pre-releases of another number", "a b c", "jtreg5.1-b01 a, jtreg-6+1 c", "jtreg-6+1", "jtreg5.1-b01", "b c"),
    Row("only its own trials", "a b c", "1.0.0-rc.1 a, 1.0.0 c", "1.0.0", "", "a b c"),
    Row("a letter before its own number", "a b c", "1.0 a, 1.1a b, 1.1 c", "1.1", "1.0", "b c"),
    Row("a number before its own number", "a b c", "1.0.0 a, 1.0.1-0 b, 1.0.1 c", "1.0.1", "1.0.0", "b c"),
    Row("a letter after another number", "a b c", "3.0 a, 3.0a b, 3.1 c", "3.1", "3.0a", "c"),
    Row("a revision", "a b c", "v1.0.8 a, v1.0.8-1 b, v1.0.9 c", "v1.0.9", "v1.0.8-1", "c"),
    Row("Final and SP1", "a b c", "5.3.6.Final a, 5.3.6.SP1 b, 5.3.7.Final c", "5.3.7.Final", "5.3.6.SP1", "c"),
    Row("a hotfix", "a b c", "v2.1.2 a, v2.1.2-hf1 b, v2.1.3 c", "v2.1.3", "v2.1.2-hf1", "c"),
    Row("a marker", "a r^a b^a c d", "v3.2.0 a, v3.2.10 r, v3.2.10_plus_git b, v3.3.0 d", "v3.3.0", "v3.2.10", "b c d"),
    Row(
        "editions",
        "a j1^a k1^a b^a j2^b k2^b",
        "32.0-jre j1, 32.0-android k1, 33.0-jre j2, 33.0-android k2",
        "33.0-android",
        "32.0-jre",
        "b k2",
    ),
    Row("a release commit beside", "a b r^b c^b d", "2.3.0 a, 3.0.0 r, 3.0.1 d", "3.0.1", "3.0.0", "c d"),
    Row("every release beside", "a r1^a b^a c r2^c", "7.0 r1, 7.1 r2", "7.1", "7.0", "b c r2"),
    Row("a backport", "a b c x^a y", "1.0 a, 2.0 c, 1.0.1 y", "1.0.1", "1.0", "x y"),
    Row("a fix merged before", "a x^a b^a m^b+x y^x", "1.0 a, 2.0 m, 1.0.1 y", "1.0.1", "1.0", "x y"),
    Row("merged back", "a x^a b^a m^b+x c", "1.0 a, 1.0.1 x, 1.1 c", "1.1", "1.0.1", "b m c"),
    Row("later on an old branch", "a x^a b^a m^b+x c y^x", "1.1.2 a, 2.0.0 c, 1.1.4 y", "2.0.0", "1.1.2", "x b m c"),
    Row("the other half", "a x^a b^a m^b+x c y^x", "1.1.2 a, 2.0.0 c, 1.1.4 y", "1.1.4", "1.1.2", "x y"),
    Row("cut before, tagged after", "a b c x^b", "v7.0.0-dev a, v8.0.0-dev c, v7.0.0 x", "v8.0.0-dev", "v7.0.0-dev", "b c"),
    Row("asked again years later", "a b r^b c^b d s^d", "2.0.0 r, 2.0.1 s", "2.0.0", "", "a b r"),
    Row("two bases", "a x^a y b^a m^b+x c n^c+y", "1.0 a, 1.0.2 y, 1.1.0 m, 1.1.1 n", "1.1.1", "1.1.0 1.0.2", "c n"),
    Row("rc over, patch not", "a r^a b^a c m^c+r d", "1.0 a, 1.0.1 r, 1.1.0-rc.1 b, 1.1.0 d", "1.1.0", "1.0.1", "b c m d"),
    Row("numbered anew", "a b c", "2024.1 a, 1.0.0 c", "1.0.0", "2024.1", "b c"),
    Row("two on one commit", "a b", "0.9.0 a, v1.0.0 b, v1.0.1 b", "v1.0.1", "0.9.0", "b"),
    Row("history from elsewhere", "a b z^- m^b+z", "1.0 a, 1.1 m", "1.1", "1.0", "b z m"),
    Row("no common history", "a b z^-", "1.0 a, 1.1 z", "1.1", "", "z"),
    Row("renamed", "a b c", "libphonenumber-7.7.3 a, v7.7.4 c", "v7.7.4", "libphonenumber-7.7.3", "b c"),
    Row("a new part of a monorepo", "a b c", "api-1.0.0 a, web-1.0.0 b, cli-0.1.0 c", "cli-0.1.0", "", "a b c"),
]
