"""Names of tags that `[commits] tag` settles by hand, and what a line's tags begin with."""

from __future__ import annotations

import pytest

from shared.domain.tag_names import line_prefix, read_tag


@pytest.mark.parametrize(
    ("template", "name", "component", "numbers"),
    [
        ("REL_{version}", "rel_13_4", "", (13, 4)),
        ("REL_{version}", "REL_7", "", (7,)),
        ("{component}/{version}", "api/1.2.0", "api", (1, 2)),
        ("build{version}", "build12x3.4", "", (12,)),  # the version begins with its first number
    ],
)
def test_a_template_settles_component_and_version(template: str, name: str, component: str, numbers: tuple[int, ...]) -> None:
    tag = read_tag(name, templates=[template])
    assert (tag.is_version, tag.component) == (True, component)
    assert tuple(tag.numbers)[: len(numbers)] == numbers


def test_the_first_template_that_fits_decides_and_a_name_that_fits_none_is_no_version() -> None:
    templates = ["REL_{version}", "v{version}"]
    assert read_tag("v1.0", templates=templates).is_version
    assert not read_tag("1.0", templates=templates).is_version


@pytest.mark.parametrize(
    ("name", "prefix"), [("api/v1.0", "api"), ("v1.0", ""), ("API-1.0", "API"), ("latest", ""), ("İ-1.0", "")]
)
def test_what_the_tags_of_a_line_begin_with(name: str, prefix: str) -> None:
    assert line_prefix(read_tag(name)) == prefix


def test_a_date_with_a_number_behind_it_is_one_group() -> None:
    for name in ("2024-01-02.3", "shop-2024-01-02.3", "2024_01_02.3.4"):
        assert tuple(read_tag(name).numbers)[:4] == (2024, 1, 2, 3), name


def test_a_dotted_group_that_no_separator_sets_apart_is_not_the_version() -> None:
    assert tuple(read_tag("shop-3.11+1.0").numbers)[:2] == (3, 11)
    assert tuple(read_tag("shop-3.11-1.0").numbers)[:1] == (1,)
