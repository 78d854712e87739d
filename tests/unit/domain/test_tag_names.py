"""How a tag's name is read: the tables of docs/decisions/0008, and what holds for every name."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.tag_names import check_template, line_prefix, read_tag
from shared.domain.tag_order import HASH, Kind, newest_of_each_line
from tests.builders import examples

PRE, FINAL, OPEN, FLOATING, NONE = Kind.PRE, Kind.FINAL, Kind.OPEN, Kind.FLOATING, Kind.NONE


@pytest.mark.parametrize(
    ("name", "component", "kind", "numbers", "suffix"),
    [
        ("V_10_0_P1", "", FINAL, (10,), ("p", 1)),
        ("rel/commons-lang-3.12.0", "commons-lang", FINAL, (3, 12), ()),
        ("LANG_3_8_1_RC1", "lang", PRE, (3, 8, 1), ("rc", 1)),
        (
            "opentelemetry-instrumentation-openai-v2==2.0b0",
            "opentelemetry-instrumentation-openai-v2",
            PRE,
            (2,),
            ("b", 0),
        ),
        ("riverdriver/riverpgxv5/v0.9.0", "riverdriver-riverpgxv5", FINAL, (0, 9), ()),
        ("v4.5.0-307c277", "", OPEN, (4, 5), (HASH,)),
        ("v4.5.0.307c277", "", OPEN, (4, 5), (HASH,)),
        ("765.v5a_2d6a_23c01d", "", OPEN, (765,), (HASH,)),
        ("723.vbabdf19eb4c7", "", OPEN, (723,), (HASH,)),
        ("v1.28.3+k3s1", "", FINAL, (1, 28, 3), ()),
        ("v3.2.0+git", "", PRE, (3, 2), ()),
        ("2.9.0.pr1", "", PRE, (2, 9), ("pr", 1)),
        ("2.6.10-1", "", OPEN, (2, 6, 10), (1,)),
        ("v2.0.0-stable", "", FINAL, (2,), ("stable",)),
        ("9.4.0.v20161208", "", OPEN, (9, 4), ("v", 20161208)),
        ("3.0a", "", OPEN, (3,), ("a",)),
        ("1.0.0-alpine3.18", "", PRE, (1,), ("alpine", 3, 18)),
        ("v1.0.0-0.3.7", "", OPEN, (1,), (0, 3, 7)),
        ("release-1.0.0-0.3.7", "", OPEN, (1,), (0, 3, 7)),
        ("shop-1.0.0-ubuntu-22.04", "shop", PRE, (1,), ("ubuntu", 22, 4)),
        ("python-3.11-1.0.0", "python-3-11", FINAL, (1,), ()),
        ("spark-3.5-connector-1.2.0", "spark-3-5-connector", FINAL, (1, 2), ()),
        ("kafka_2.13-3.5.0", "kafka-2-13", FINAL, (3, 5), ()),
        ("REL_16_0", "", FINAL, (16,), ()),
        ("REL_16_RC1", "", PRE, (16,), ("rc", 1)),
        ("curl-8_9_1", "curl", FINAL, (8, 9, 1), ()),
        ("prod-2021-04-009", "prod", FINAL, (2021, 4, 9), ()),
        ("jdk-21+35", "jdk", FINAL, (21,), ()),
        ("jdk8u292-b10", "jdk", PRE, (8,), ("u", 292, "b", 10)),
        ("go1", "go", FINAL, (1,), ()),
        ("go1.22rc2", "go", PRE, (1, 22), ("rc", 2)),
        ("jtreg6", "jtreg", FINAL, (6,), ()),
        ("build-17", "build", FINAL, (17,), ()),
        ("prod-42", "prod", FINAL, (42,), ()),
        ("deploy-2026-05-01", "deploy", FINAL, (2026, 5, 1), ()),
        ("nightly-20260101", "nightly", FINAL, (20260101,), ()),
        ("@acme/cli@1.1.0", "acme-cli", FINAL, (1, 1), ()),
        ("rc-1.2.0", "", PRE, (1, 2), ("rc",)),
        ("1.0.0-scripting", "", PRE, (1,), ("scripting",)),
        ("33.0-jre", "", FINAL, (33,), ("jre",)),
        ("db_2023_01_02", "db", FINAL, (2023, 1, 2), ()),  # no hash, though its letters and digits could be one
    ],
)
def test_names(name: str, component: str, kind: Kind, numbers: tuple[int, ...], suffix: tuple[object, ...]) -> None:
    read = read_tag(name)
    assert (read.component, read.kind, read.numbers, read.suffix) == (component, kind, numbers, suffix)


@pytest.mark.parametrize("name", ["release-0202c66", "pre-validator3-removal", "before-refactor", "archive/x", "v2-scripting"])
def test_names_without_a_version(name: str) -> None:
    assert read_tag(name).kind is NONE


@pytest.mark.parametrize(
    "name", ["latest", "api@stable", "early-access", "0.12.x", "v2.x", "main", "pkg/next", "LTS", "2.3.X", "beta", "rc"]
)
def test_names_that_float(name: str) -> None:
    assert read_tag(name).kind is FLOATING


def test_names_that_hold_no_version_form_lines_by_what_they_say() -> None:
    assert read_tag("release-0202c66").line == read_tag("release-9f3b2c1").line
    assert read_tag("before-refactor").line != read_tag("after-refactor").line
    assert read_tag("before-refactor").line != read_tag("1.0").line


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.0.0", "release-1.2.0"),
        ("tags/v1.0", "version_2.0"),
        ("curl_7_6", "curl-7_6_1"),
        ("V_9_9_P2", "V_10_0_P1"),
        ("api@1.0.0", "api/v1.1.0"),
        ("API-1.0", "api-v2.0"),
        ("rc-1.2.0", "1.2.0"),
        ("2026-05-01", "20260502"),
        ("2026-05-01", "2026-05-01.2"),
        ("release-2026-05-01", "2026-05-02-1"),
        ("2026.5.1", "1.0.0"),
    ],
)
def test_one_line(one: str, other: str) -> None:
    assert read_tag(one).line == read_tag(other).line


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("chart-1.0", "chart-v2-1.0"),
        ("api-v1-1.0", "api-v2-1.0"),
        ("python-3.11-1.0.0", "python-3.12-1.0.0"),
        ("1.0.0", "release-2026-05-01"),
        ("1.0.0", "20260501"),
        ("1.0.0", "build-17"),
        ("prod-1", "production-1"),
        ("server/v3.5.0", "v3.5.0"),
    ],
)
def test_two_lines(one: str, other: str) -> None:
    assert read_tag(one).line != read_tag(other).line


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("v1.2.3", "v1.2.10"),
        ("v1.9", "v1.10.0"),
        ("21", "21.0.1"),
        ("v2.0.0-rc.1", "v2.0.0"),
        ("v2.0.0-rc.2", "v2.0.0-rc.10"),
        ("v2.0.0-beta.9", "v2.0.0-rc.1"),
        ("v2.0.0-dev", "v2.0.0-alpha"),
        ("v2.0.0-alpha", "v2.0.0-scripting"),
        ("v2.0.0-scripting", "v2.0.0-beta"),
        ("v2.0.0-beta", "v2.0.0-preview"),
        ("5.3.6.Final", "5.3.6.SP1"),
        ("5.3.6.SP1", "5.3.7.Final"),
        ("3.0", "3.0a"),
        ("1.0.2a", "1.0.2b"),
        ("1.0.2c", "1.0.2d"),
        ("v1.0.8", "v1.0.8-1"),
        ("1.0.0+5", "1.0.0+6"),
        ("1.0rc1", "1.0"),
        ("1.2.3.4", "1.2.3.5"),
        ("2024.01.02", "2024.10.01"),
        ("2024-01-02", "20240201"),
        ("v1.0.0", "v1.0.0.post1"),
        ("33.0-rc1-jre", "33.0-android"),
        ("v9999999999999999999999.0", "v9999999999999999999999.1"),
    ],
)
def test_lower(lower: str, higher: str) -> None:
    assert read_tag(lower).is_lower(read_tag(higher))
    assert not read_tag(higher).is_lower(read_tag(lower))
    assert read_tag(lower).order < read_tag(higher).order


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("33.0-jre", "33.0-android"),
        ("16.0", "16.0-ee"),
        ("1.2", "1.2.0"),
        ("1.0", "1.0.Final"),
        ("1.0-hf1", "1.0-sp1"),
        ("x", "y"),
    ],
)
def test_not_ordered(one: str, other: str) -> None:
    assert not read_tag(one).is_lower(read_tag(other))
    assert not read_tag(other).is_lower(read_tag(one))


def test_the_newest_of_each_line_are_chosen_lowest_first() -> None:
    names = ["v1.10", "v1.9", "v1.2", "api@1.0", "api@2.0", "build-3", "build-20", "build-100"]
    chosen = [tag.name for tag in newest_of_each_line(map(read_tag, names), 2)]
    assert sorted(chosen) == ["api@1.0", "api@2.0", "build-100", "build-20", "v1.10", "v1.9"]
    assert chosen.index("v1.9") < chosen.index("v1.10")
    assert chosen.index("build-20") < chosen.index("build-100")
    assert len(newest_of_each_line(map(read_tag, names), None)) == len(names)


def test_a_setting_names_further_words_of_final_releases() -> None:
    assert read_tag("2.0.0-avh").kind is PRE
    assert read_tag("2.0.0-avh", final_suffixes=["AVH"]).kind is FINAL


def test_templates_settle_component_and_version_by_hand() -> None:
    templates = ["prod-{version}", "production-{version}", "{component}~{version}"]
    assert read_tag("prod-17", templates=templates).line == read_tag("Production-18", templates=templates).line
    assert read_tag("prod-17", templates=templates).is_lower(read_tag("production-18", templates=templates))
    assert read_tag("API~2.0-rc1", templates=templates).component == "api"
    assert read_tag("API~2.0-rc1", templates=templates).kind is PRE
    assert read_tag("2.0", templates=templates).kind is NONE


@pytest.mark.parametrize(
    "template",
    ["v", "{version}{version}", "{tag}-{version}", "{component}{version}", "{component}/{component}-{version}", "{version"],
)
def test_templates_that_cannot_be(template: str) -> None:
    assert check_template(template)


@pytest.mark.parametrize("template", ["REL_{version}", "{component}/v{version}", "{version}"])
def test_templates_that_can_be(template: str) -> None:
    assert check_template(template) is None


@given(st.text(max_size=80), st.text(max_size=80))
@examples(500)
def test_any_two_names_can_be_compared(one: str, other: str) -> None:
    first, second = read_tag(one), read_tag(other)
    assert not (first.is_lower(second) and second.is_lower(first))
    assert (first.order < second.order) in (True, False)


@given(
    st.from_regex(r"(v|go|api-)?[0-9]{1,3}([._-][0-9]{1,3}){0,3}([-._]?(rc|a|hf|jre|sp|x|7a6b5c4)[0-9]{0,2})?", fullmatch=True)
)
@examples(500)
def test_case_never_matters(name: str) -> None:
    one, other = read_tag(name), read_tag(name.upper())
    assert (one.line, one.kind, one.numbers, one.suffix) == (other.line, other.kind, other.numbers, other.suffix)


@pytest.mark.parametrize(
    "piece", ["1", "1.", "1_", "-1", "a1", ".x", "v7f", "7f_", "1-v", "rc1.", "2026-01-01.", "-1.1", "-b1.1"]
)
@pytest.mark.parametrize("first", ["", "a1.1"])
@pytest.mark.parametrize("last", ["", "!"])
def test_long_names_are_read_in_no_time(piece: str, first: str, last: str) -> None:
    """With a pattern that looks at places twice, 20,000 characters would take minutes."""
    name = first + piece * (20_000 // len(piece)) + last
    began = time.process_time()
    read_tag(name)
    read_tag(name, templates=["{component}-{version}-x", "{version}-{component}/x", "a{version}!"])
    line_prefix(read_tag("v-" * 10_000 + name))
    assert time.process_time() - began < 3
