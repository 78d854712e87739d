"""Names of releases taken apart: package, numbers, pre-release, build, hash; and which names are allowed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.validation.release_version import is_allowed, parse_version, render_version_info, sort_columns
from shared.domain.versions import Refused, map_version
from tests.builders import examples

SHA = "0123456789abcdef" * 2 + "01234567"


@pytest.mark.parametrize(
    ("whole", "wanted"),
    [
        ("1.0", {"package": None, "numbers": ()}),  # without a package nothing is numbered
        ("app@1", {"package": "app", "numbers": (1, 0, 0, 0), "components": 1}),
        ("app@1.2.3.4", {"numbers": (1, 2, 3, 4), "components": 4}),
        ("app@1.2.3.4.5", {"numbers": ()}),
        ("app@1.2-beta.1", {"numbers": (1, 2, 0, 0), "pre": "beta.1", "build": None}),
        ("app@1.2rc1", {"numbers": (1, 2, 0, 0), "pre": "rc1"}),
        ("app@1a", {"numbers": ()}),  # one number with a letter is a name
        ("app@1-a", {"numbers": (1, 0, 0, 0), "pre": "a"}),
        ("app@1.2+77", {"numbers": (1, 2, 0, 0), "build": "77"}),
        ("@scope/app@1.0", {"package": "@scope/app", "numbers": (1, 0, 0, 0)}),
        ("@app", {"package": None, "raw": "@app"}),
        ("app@", {"package": None, "raw": "app@"}),
        (SHA, {"package": None, "build_hash": SHA}),
        (f"app@{SHA}", {"package": "app", "build_hash": SHA, "numbers": ()}),
        ("app@" + "1" * 13, {"build_hash": None, "numbers": (int("1" * 13), 0, 0, 0)}),
    ],
)
def test_a_version_is_taken_apart(whole: str, wanted: dict[str, Any]) -> None:
    version = parse_version(whole)
    assert {name: getattr(version, name) for name in wanted} == wanted
    assert version.whole == whole


@pytest.mark.parametrize(
    ("whole", "description"),
    [
        ("app@1.2-rc+77", "1.2-rc (77)"),
        ("app@1.2", "1.2"),
        (f"app@1.2+{SHA}", f"1.2 ({SHA[:12]})"),
        (SHA, SHA[:12]),
        ("x", "x"),
    ],
)
def test_people_are_shown_a_short_form(whole: str, description: str) -> None:
    info: Any = render_version_info(whole)
    assert info["description"] == description


@pytest.mark.parametrize(
    ("whole", "build", "number"),
    [("app@1+77", "77", 77), ("app@1+7a", "7a", None), ("app@1", None, None), (f"app@1+{2**63}", str(2**63), None)],
)
def test_a_build_sorts_as_a_number_where_it_is_one(whole: str, build: str | None, number: int | None) -> None:
    columns = sort_columns(whole)
    assert (columns["build_code"], columns["build_number"]) == (build, number)


def test_numbers_that_no_column_holds_leave_all_empty() -> None:
    assert sort_columns(f"app@1.{2**63}") == {"package": "app"}
    assert sort_columns("x") == {"package": None}


@pytest.mark.parametrize("version", ["1.0", "a b", "...", "latest-1", "é", "x" * 200, " 1 "])
def test_allowed_names(version: str) -> None:
    assert is_allowed(version)


@pytest.mark.parametrize(
    "version", ["", " ", ".", "..", " .. ", "latest", "LATEST", "a/b", "a\\b", "a\tb", "a\nb", "a\fb", "x" * 201]
)
def test_refused_names(version: str) -> None:
    assert not is_allowed(version)


@given(st.text(max_size=210))
@examples(500)
def test_whatever_tagship_would_send_the_endpoint_allows(wanted: str) -> None:
    mapped = map_version(wanted)
    assert isinstance(mapped, Refused) or is_allowed(mapped)


@given(st.text(max_size=60))
@examples(300)
def test_any_name_can_be_taken_apart(whole: str) -> None:
    info: Any = render_version_info(whole)
    assert info is None or info["version"]
    assert "package" in sort_columns(whole)
