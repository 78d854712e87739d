"""The `query` of the release list as text and conditions, and each refusal in its sentence."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.validation.search_query import Bound, Condition, Query, QueryError, parse_query, read_bound
from tests.builders import examples

BAD_VERSION = 'Invalid format of semantic version. For searching non-semver releases, use "release:" instead.'


def condition(key: str, *values: str, operator: str = "=", no: bool = False) -> Condition:
    return Condition(key=key, operator=operator, values=values, is_negated=no)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "texts", "conditions"),
    [
        ("", (), ()),
        ("  shop   1.0 ", ("shop 1.0",), ()),
        ('"shop 1.0"', ("shop 1.0",), ()),
        ("1.0 (12)", ("1.0 (12)", "1.0+12"), ()),
        ("release:app@1.*", (), (condition("release", "app@1.*"),)),
        ("!release.stage:adopted", (), (condition("release.stage", "adopted", no=True),)),
        ("release.version:>=1.2", (), (condition("release.version", "1.2", operator=">="),)),
        ("release.build:<7", (), (condition("release.build", "7", operator="<"),)),
        ('release.package:[a, b,"c"]', (), (condition("release.package", "a", "b", "c"),)),
        ('release:"a b" rest', ("rest",), (condition("release", "a b"),)),
        ("finalized:true x finalized:false", ("x",), (condition("finalized", "true"), condition("finalized", "false"))),
        ("release:>1", (), (condition("release", ">1"),)),  # only versions and builds are compared
    ],
)
def test_what_a_query_means(text: str, texts: tuple[str, ...], conditions: tuple[Condition, ...]) -> None:
    assert parse_query(text) == Query(texts, conditions)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("user:ada", "Invalid key for this search: user"),
        ("release:", "Empty string after 'release:'"),
        ('release:""', "Empty string after 'release:'"),
        ("release.package:[a,]", "Empty string after 'release.package:'"),
        ("release.version:>", "Empty string after 'release.version:'"),
        ("release.version:new", BAD_VERSION),
        ("release.version:1.2.3.4.5", BAD_VERSION),
        ("release.build:>x", "Invalid build number: x"),
        ("finalized:maybe", "finalized takes true or false"),
        ("a OR b", 'Boolean statements containing "OR" or "AND" are not supported in this search'),
        ("release:x " * 21, "Parse error: more than 20 conditions"),
        (f"release:[{','.join('x' * 51)}]", "Parse error: more than 50 values"),
    ],
)
def test_what_a_query_may_not_say(text: str, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_query(text)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("1", Bound((1, 0, 0, 0), "", False)),
        ("1.2.3.4", Bound((1, 2, 3, 4), "", False)),
        ("1.2-rc.1", Bound((1, 2, 0, 0), "rc.1", False)),
        ("1.2.*", Bound((1, 2), "", True)),
    ],
)
def test_a_version_to_compare_with(text: str, bound: Bound) -> None:
    assert read_bound(text) == bound


@pytest.mark.parametrize("text", ["", "*", ".*", "1.", "a.1", "٣", "1" * 19, "1.2.3.4.*x"])
def test_another_text_is_no_version_to_compare_with(text: str) -> None:
    with pytest.raises(QueryError, match="Invalid format of semantic version"):
        read_bound(text)


@given(st.text(max_size=80))
@examples(500)
def test_any_text_is_a_query_or_refused(text: str) -> None:
    found = Query((), ())
    with contextlib.suppress(QueryError):
        found = parse_query(text)
    assert all(condition.values and all(condition.values) for condition in found.conditions)
