"""A body without the authors' addresses that a target refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.domain.reduced_bodies import without_emails

EMAILS = ["ada@acme.test", "bob@localhost", "jürgen@acme.test", "bob@localhost", None]
UNSAFE = ["bob@localhost", "jürgen@acme.test"]
BODY: dict[str, Any] = {
    "version": "v1",
    "commits": [
        {"id": str(place), "author_name": "A", **({"author_email": email} if email else {})}
        for place, email in enumerate(EMAILS)
    ],
}
WRONG = {"author_email": ["Enter a valid email address."]}


@pytest.mark.parametrize(
    ("said", "left_out"),
    [
        ({"commits": [{}, {}, WRONG, {}, {}]}, ["jürgen@acme.test"]),
        ({"commits": [{}, WRONG, {}, {}, {}]}, ["bob@localhost"]),  # wherever it stands
        ({"detail": [{"loc": ["body", "payload", "commits", 0, "author_email"]}]}, ["ada@acme.test"]),
        # Whose it was is not said: those that every server takes stay.
        ({"commits": WRONG}, UNSAFE),
        ({"commits": [{}] * 9 + [WRONG]}, UNSAFE),
        ({"commits": [{}, {}, {}, {}, WRONG]}, UNSAFE),
        ({"detail": [None, {"loc": "author_email"}, {"loc": ["commits", True, "author_email"]}]}, UNSAFE),
        (["author_email"], UNSAFE),
        (b'{"commits": [{"author_email": [', UNSAFE),
        (b"[" * 100_000 + b"author_email", UNSAFE),
    ],
)  # fmt: skip
def test_refused_addresses_are_left_out(said: object, left_out: list[str]) -> None:
    found = without_emails(BODY, said if isinstance(said, bytes) else json.dumps(said).encode())
    assert found is not None
    body, count = found
    assert count == len(left_out)
    assert [commit.get("author_email") for commit in body["commits"]] == [
        None if email in left_out else email for email in EMAILS
    ]
    assert [commit["author_name"] for commit in body["commits"]] == ["A"] * 5


def test_where_all_look_right_all_are_left_out() -> None:
    found = without_emails({"commits": BODY["commits"][:1]}, b"author_email")
    assert found == ({"commits": [{"id": "0", "author_name": "A"}]}, 1)


@pytest.mark.parametrize(
    ("body", "said"),
    [(BODY, b'{"commits": [{"id": ["required"]}]}'), ({}, b"author_email"), ({"commits": [{}]}, b"author_email")],
)
def test_another_refusal_changes_nothing(body: dict[str, Any], said: bytes) -> None:
    assert without_emails(body, said) is None
