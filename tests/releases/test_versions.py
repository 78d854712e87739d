"""What may be a version (1.2) and what it says about itself (1.8), without a database."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.validation.release_version import is_allowed, render_version_info, sort_columns
from tests.builders import examples


@pytest.mark.parametrize(
    "version",
    ["", " ", "   ", "\t", ".", "..", " . ", ".. ", "latest", "LATEST", "Latest", " latest "]
    + [f"1.0{bad}2" for bad in "\r\n\f\t/\\"]
    + ["v" * 201],
)
def test_1_2_refused_versions(version: str) -> None:
    assert not is_allowed(version)


@pytest.mark.parametrize(
    "version",
    ["1.0", " 1.0 ", "a b", "1+2", "pkg@1.0", "(1)", "1\N{EM DASH}2", "latest2", "v" * 200, "...", "\v1"],
)
def test_1_2_accepted_versions_kept_as_sent(version: str) -> None:
    assert is_allowed(version)


def shown(whole: str) -> Any:
    info = render_version_info(whole)
    assert info is not None
    return info


NUMBERED = [
    ("shop@4.2.0", "shop", (4, 2, 0, None, None, 3), "4.2.0"),
    ("app@2.1-dev+77", "app", (2, 1, 0, "dev", "77", 2), "2.1-dev (77)"),
    ("@scope/app@1.2.3", "@scope/app", (1, 2, 3, None, None, 3), "1.2.3"),
    ("app@1.2rc1", "app", (1, 2, 0, "rc1", None, 2), "1.2rc1"),
    ("app@01.002.3.4", "app", (1, 2, 3, None, None, 4), "01.002.3.4"),
    ("app@1", "app", (1, 0, 0, None, None, 1), "1"),
    ("app@1.0+" + "a" * 40, "app", (1, 0, 0, None, "a" * 40, 2), f"1.0 ({'a' * 12})"),
]


@pytest.mark.parametrize(("whole", "package", "parts", "description"), NUMBERED)
def test_1_8_numbered_versions(whole: str, package: str, parts: tuple[object, ...], description: str) -> None:
    info = shown(whole)
    names = ("major", "minor", "patch", "pre", "buildCode", "components")
    assert info["package"] == package
    assert info["description"] == description
    assert info["buildHash"] == (parts[4] if parts[4] == "a" * 40 else None)
    assert info["version"] == {"raw": whole.removeprefix(f"{package}@"), **dict(zip(names, parts, strict=True))}


@pytest.mark.parametrize("whole", ["2.0rc2", "1.2.3", "v1", "app@", "feature-x", "app@1a1", "app@1.2.3.4.5", "app@x"])
def test_1_8_versions_that_are_not_parsed(whole: str) -> None:
    info = shown(whole)
    assert set(info["version"]) == {"raw"}
    assert info["description"] == whole


@pytest.mark.parametrize("length", [12, 16, 20, 32, 40, 64])
@pytest.mark.parametrize("prefix", ["", "app@"])
def test_1_8_hash_lengths_are_build_hashes(length: int, prefix: str) -> None:
    info = shown(prefix + "1" * length)
    assert info["buildHash"] == "1" * length
    assert info["description"] == "1" * 12
    assert set(info["version"]) == {"raw"}


def test_1_8_parts_beyond_64_bits_leave_columns_empty() -> None:
    assert sort_columns("app@99999999999999999999.1") == {"package": "app"}
    assert sort_columns("app@1.0+99999999999999999999")["build_number"] is None


def test_1_8_what_the_parser_does_not_take() -> None:
    assert render_version_info("app@1.0\v1") is None
    assert shown("  app@1.0 ")["version"]["raw"] == "1.0"
    assert shown("app@99999999999999999999.1")["version"]["major"] == 0


@examples(200)
@given(st.text(max_size=200))
def test_any_text_has_version_info_and_columns(whole: str) -> None:
    info = render_version_info(whole)
    assert info is None or "version" in info
    assert "package" in sort_columns(whole)
