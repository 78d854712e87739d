"""What a list of commits as sent means: order, skipped ones, authors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from releases.store.commit_plan import Author, plan_author, plan_commits
from tests.builders import NOW


def sent(key: str, **fields: Any) -> dict[str, Any]:
    return {"id": key, **fields}


def keys(*items: dict[str, Any]) -> list[str]:
    return [planned.key for planned in plan_commits(items)]


def test_the_newest_comes_first_and_those_of_one_time_stay_in_the_clients_order() -> None:
    later = NOW + timedelta(seconds=1)
    assert keys(sent("a", timestamp=NOW), sent("b", timestamp=later), sent("c", timestamp=NOW)) == ["b", "a", "c"]


def test_without_times_the_clients_order_stands_and_a_missing_time_is_the_oldest() -> None:
    assert keys(sent("a"), sent("b"), sent("c")) == ["a", "b", "c"]
    assert keys(sent("a"), sent("b", timestamp=NOW), sent("c", timestamp=None)) == ["b", "a", "c"]


def test_a_commit_that_asks_to_be_skipped_is_left_out_and_a_repeat_stays() -> None:
    assert keys(sent("a", message="x #skipsentry"), sent("b", message=None), sent("b")) == ["b", "b"]


@pytest.mark.parametrize(
    ("fields", "given"),
    [
        ({}, set()),
        ({"message": None}, {"message"}),
        ({"message": "m", "timestamp": NOW}, {"message", "timestamp"}),
        ({"timestamp": None}, set()),
    ],
)
def test_what_the_client_spoke_of_is_remembered(fields: dict[str, Any], given: set[str]) -> None:
    (planned,) = plan_commits([sent("a", **fields)])
    assert planned.given == given


def test_repository_and_files_are_taken_over() -> None:
    (planned,) = plan_commits([sent("a", repository="shop", patch_set=[{"path": "x.py", "type": "M"}])])
    assert (planned.repository, planned.files) == ("shop", (("x.py", "M"),))
    (bare,) = plan_commits([sent("a", repository=None, patch_set=None)])
    assert (bare.repository, bare.files, bare.author) == ("", (), None)


@pytest.mark.parametrize(
    ("email", "name", "author"),
    [
        (None, None, None),
        ("", "", None),
        ("", "Ada", None),  # a blank address means no author
        ("Ada@Acme.test", "Ada", Author("ada@acme.test", "Ada", "Ada@Acme.test")),
        (None, "Ada O. Okafor!", Author("adao.okafor@localhost", "Ada O. Okafor!", "adao.okafor@localhost")),
        (None, "鍵", Author("@localhost", "鍵", "@localhost")),
        ("x" * 75, None, Author("x" * 75, None, "x" * 75)),
        ("x" * 76, None, Author("x" * 72 + "...", None, "x" * 72 + "...")),
        ("İ" * 75, None, Author(("İ" * 75).lower()[:75], None, "İ" * 75)),  # grows when it is lowered
    ],
)
def test_an_author_has_an_email_of_at_most_75_characters(email: str | None, name: str | None, author: Author | None) -> None:
    assert plan_author(email, name) == author


def test_the_first_commit_of_an_address_names_its_author() -> None:
    one, two = plan_commits([sent(key, author_email="a@b.test", author_name=name) for key, name in (("a", "Ada"), ("b", "Bo"))])
    assert one.author == two.author == Author("a@b.test", "Ada", "a@b.test")
