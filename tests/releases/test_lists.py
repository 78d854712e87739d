"""The list of an organization's releases (2.1): filters, orders, pages."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from releases.http.pagination import parse_cursor, parse_page_size
from releases.validation.search_query import QueryError, parse_query
from tests.builders import examples
from tests.releases.caller import Caller


def versions(api: Caller, query: str = "") -> list[str]:
    answer = api.get(f"releases/?{query}")
    assert answer.status_code == 200, answer.text
    return [one["version"] for one in answer.json]


@pytest.fixture
def filled(either_api: Caller) -> Caller:
    for version in ("app@1.0.0", "app@1.2.0-rc1+5", "app@1.2.0+12", "app@2.0.0+100", "lib@1.10.0", "Nightly 1"):
        either_api.made(version)
    return either_api


QUERIES = [
    ("", ["Nightly 1", "lib@1.10.0", "app@2.0.0+100", "app@1.2.0+12", "app@1.2.0-rc1+5", "app@1.0.0"]),
    ("NIGHT", ["Nightly 1"]),
    ("%", []),
    ("_", []),
    ("1.2.0 (12)", ["app@1.2.0+12"]),
    ("release:app@1.0.0", ["app@1.0.0"]),
    ("release:lib*", ["lib@1.10.0"]),
    ("!release:app*", ["Nightly 1", "lib@1.10.0"]),
    ("release:[app@1.0.0,lib@1.10.0]", ["lib@1.10.0", "app@1.0.0"]),
    ("release.version:>1.2", ["lib@1.10.0", "app@2.0.0+100"]),
    ("release.version:>=1.2.0", ["lib@1.10.0", "app@2.0.0+100", "app@1.2.0+12"]),
    ("release.version:<1.2.0", ["app@1.2.0-rc1+5", "app@1.0.0"]),
    ("release.version:1.2.0", ["app@1.2.0+12"]),
    ("release.version:1.2.*", ["app@1.2.0+12", "app@1.2.0-rc1+5"]),
    ("!release.version:1.2.*", ["Nightly 1", "lib@1.10.0", "app@2.0.0+100", "app@1.0.0"]),
    ("release.package:lib", ["lib@1.10.0"]),
    ("release.build:12", ["app@1.2.0+12"]),
    ("release.build:>=12", ["app@2.0.0+100", "app@1.2.0+12"]),
    ("finalized:false app release.version:>1.2", ["app@2.0.0+100"]),
    ("finalized:true", []),
    ('release:"Nightly 1"', ["Nightly 1"]),
]


def test_2_1_query(filled: Caller) -> None:
    for query, expected in QUERIES:
        assert versions(filled, f"query={quote(query)}") == expected, query


@pytest.mark.parametrize(
    "query",
    [
        *("unknown:1", "release.version:", "release.version:>", "release.version:x", "release.build:>x", "finalized:maybe"),
        *("(", "a)b", "a OR b", "a AND b", "release.stage:adopted"),
        *("release:a " * 21, "a\0b", "x" * 5_000, f"release:[{'a,' * 60}a]"),
    ],
)
def test_2_1_bad_query_is_400(api: Caller, query: str) -> None:
    answer = api.get(f"releases/?query={quote(query)}")
    assert answer.status_code == 400
    assert answer.json["detail"]


def test_2_1_a_lone_quotation_mark_is_text(api: Caller) -> None:
    api.made('say "hi')
    assert versions(api, "query=%22") == ['say "hi']


def test_2_1_a_stage_needs_one_environment(api: Caller) -> None:
    api.made()
    api.post("releases/1.0/deploys/", {"environment": "production"})
    assert versions(api, "query=release.stage:adopted&environment=production") == []


def test_2_1_flatten_shows_a_release_once_for_each_project(either_api: Caller) -> None:
    either_api.made("1.0", projects=["shop", "pump-station"])
    either_api.made("2.0")
    found = either_api.get("releases/?flatten=1").json
    shown = [(one["version"], [project["slug"] for project in one["projects"]]) for one in found]
    assert shown == [("2.0", ["shop"]), ("1.0", ["shop"]), ("1.0", ["pump-station"])]


def test_2_1_of_a_repeated_parameter_the_last_counts(api: Caller) -> None:
    api.made("1.0")
    api.made("2.0", status="archived")
    assert versions(api, "status=open&status=archived&query=x&query=") == ["2.0"]
    assert len(api.get("releases/?status=&per_page=5&per_page=1").json) == 1


@pytest.mark.parametrize("name", ["summaryStatsPeriod", "healthStatsPeriod", "healthStat"])
def test_2_1_health_parameters_are_checked(api: Caller, name: str) -> None:
    assert api.get(f"releases/?{name}=x").status_code == 400


def test_2_1_status(api: Caller) -> None:
    api.made("1.0")
    api.made("2.0", status="archived")
    assert versions(api) == versions(api, "status=open") == ["1.0"]
    assert versions(api, "status=archived") == ["2.0"]
    assert versions(api, "status=") == ["2.0", "1.0"]
    answer = api.get("releases/?status=closed")
    assert (answer.status_code, answer.json) == (400, {"detail": "invalid value for status"})


def test_2_1_project(api: Caller, grant: Any) -> None:
    shop = api.made("1.0")["projects"][0]["id"]
    pump = api.made("2.0", projects=["pump-station"])["projects"][0]["id"]
    assert versions(api, f"project={shop}") == ["1.0"]
    assert versions(api, f"project={shop}&project={pump}") == versions(api, "project=-1") == ["2.0", "1.0"]
    assert versions(api, "projectSlug=pump-station") == ["2.0"]
    assert versions(api, "project=shop") == ["1.0"]
    for unknown in ("nosuch", "999"):
        assert api.get(f"releases/?project={unknown}").status_code == 403
    assert grant(projects=["shop"]).get(f"releases/?project={pump}").status_code == 403


def test_2_1_environment(api: Caller) -> None:
    api.made("1.0")
    api.made("2.0")
    api.post("releases/1.0/deploys/", {"environment": "production"})
    assert versions(api, "environment=production") == ["1.0"]
    for unknown in ("unknown", ""):
        assert api.get(f"releases/?environment={unknown}").status_code == 404


def test_2_1_dates(api: Caller) -> None:
    api.made()
    assert versions(api, "start=2000-01-01T00:00:00&end=2999-01-01T00:00:00") == ["1.0"]
    assert versions(api, "start=1999-01-01&end=2000-01-01T00:00:00Z") == []
    assert versions(api, "statsPeriod=1d") == versions(api, "statsPeriodStart=1d&statsPeriodEnd=0s") == ["1.0"]


DATES = [
    ("start=2020-01-01T00:00:00", "start and end are both required"),
    ("end=2020-01-01T00:00:00", "start and end are both required"),
    ("statsPeriodStart=1d", "statsPeriodStart and statsPeriodEnd are both required"),
    ("start=2021-01-01T00:00:00&end=2020-01-01T00:00:00", "start must be before end"),
    ("statsPeriod=0d", "start must be before end"),
    ("start=x&end=y", "x is not a valid ISO8601 date query"),
    ("start=2020-01-01T00:00:00&end=2020-99-99", "2020-99-99 is not a valid ISO8601 date query"),
    ("statsPeriod=forever", "Invalid statsPeriod: 'forever'"),
    ("statsPeriod=-1d", "Invalid statsPeriod: '-1d'"),
    ("statsPeriod=9999999w", "Invalid statsPeriod: '9999999w'"),
]


@pytest.mark.parametrize(("query", "text"), DATES)
def test_2_1_bad_dates(api: Caller, query: str, text: str) -> None:
    answer = api.get(f"releases/?{query}")
    assert (answer.status_code, answer.json) == (400, {"detail": f"Invalid date range: {text}"})


def test_2_1_default_order_is_creation(api: Caller) -> None:
    api.made("old", dateReleased="2999-01-01T00:00:00Z")
    api.made("new")
    assert versions(api) == versions(api, "sort=date") == versions(api, "sort=adoption") == ["new", "old"]


def test_2_1_sort_by_version_and_build(filled: Caller) -> None:
    by_version = versions(filled, "sort=semver")
    assert by_version == ["app@2.0.0+100", "lib@1.10.0", "app@1.2.0+12", "app@1.2.0-rc1+5", "app@1.0.0", "Nightly 1"]
    assert versions(filled, "sort=build") == ["app@2.0.0+100", "app@1.2.0+12", "app@1.2.0-rc1+5"]


def test_2_1_session_sorts_need_flatten(api: Caller) -> None:
    assert api.get("releases/?sort=users&flatten=1").status_code == 200
    texts = {"users": "sorting by crash statistics requires flattening (flatten=1)", "nonsense": "invalid sort"}
    for sort, text in texts.items():
        answer = api.get(f"releases/?sort={sort}")
        assert (answer.status_code, answer.json) == (400, {"detail": text})


def test_2_1_no_accessible_projects_is_an_empty_list(api: Caller, grant: Any) -> None:
    api.made()
    assert grant(projects=[]).get("releases/").json == []


@pytest.mark.parametrize("text", ["0", "101", "-1", "999999999"])
def test_2_1_per_page_out_of_bounds(api: Caller, text: str) -> None:
    answer = api.get(f"releases/?per_page={text}")
    assert (answer.status_code, answer.json) == (400, {"detail": "Invalid per_page value. Must be between 1 and 100."})


@pytest.mark.parametrize("text", ["x", "", "1.5", "1" * 4_000])
def test_2_1_per_page_not_a_number(api: Caller, text: str) -> None:
    answer = api.get(f"releases/?per_page={text}")
    assert (answer.status_code, answer.json) == (400, {"detail": "Invalid per_page parameter."})


@pytest.mark.parametrize("text", ["x", "1:2", "1:2:3", "a:b:c", "1:2:0:0", "9" * 30 + ":0:0", "999999999999999999:0:0"])
def test_2_1_malformed_cursor(api: Caller, text: str) -> None:
    answer = api.get(f"releases/?cursor={text}")
    assert (answer.status_code, answer.json) == (400, {"detail": "Invalid cursor parameter."})


@pytest.mark.parametrize("text", ["0:0:0", "0:1:0", "0:-1:0", "0:3:1"])
def test_2_1_a_cursor_without_a_place_is_the_first_page(api: Caller, text: str) -> None:
    api.made()
    for path in ("releases/", "/api/0/projects/acme/shop/releases/"):
        assert [one["version"] for one in api.get(f"{path}?cursor={text}").json] == ["1.0"]


def links(header: str) -> dict[str, tuple[bool, str]]:
    found = {}
    for part in header.split(", <"):
        fields = dict(field.split("=", 1) for field in part.split("; ")[1:])
        found[fields["rel"].strip('"')] = (fields["results"] == '"true"', fields["cursor"].strip('"'))
    return found


@pytest.mark.parametrize("sort", ["date", "semver"])
def test_2_1_pages_forth_and_back(either_api: Caller, sort: str) -> None:
    sent = [f"app@1.0.{n}" for n in range(7)]
    for version in sent:
        either_api.made(version)
    path = f"releases/?per_page=3&sort={sort}"
    pages, cursors = [], [""]
    while True:
        answer = either_api.get(f"{path}&cursor={cursors[-1]}")
        pages.append([one["version"] for one in answer.json])
        found = links(answer.headers["Link"])
        assert found["previous"][0] == (len(pages) > 1)
        if not found["next"][0]:
            break
        cursors.append(found["next"][1])
    assert [len(one) for one in pages] == [3, 3, 1]
    assert [version for one in pages for version in one] == sent[::-1]
    back = either_api.get(f"{path}&cursor={found['previous'][1]}")
    assert [one["version"] for one in back.json] == pages[1]
    assert links(back.headers["Link"])["next"][0]
    first = either_api.get(f"{path}&cursor={links(back.headers['Link'])['previous'][1]}")
    assert [one["version"] for one in first.json] == pages[0]
    assert not links(first.headers["Link"])["previous"][0]


def test_2_1_the_link_header_is_absolute_and_keeps_the_query(api: Caller) -> None:
    header = api.get("releases/?query=a%20b%0d%0aX1&per_page=5").headers["Link"]
    assert header.startswith("<http://localhost/api/0/organizations/acme/releases/?query=a+b%0D%0AX1&per_page=5&cursor=")
    assert (
        header.count('rel="previous"; results="false"; cursor="') == header.count('rel="next"; results="false"; cursor="') == 1
    )


def test_a_list_reads_a_fixed_number_of_times_however_long(api: Caller, database: Any) -> None:
    def count() -> int:
        api.settle()
        statements: list[str] = []

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            statements.append(statement)

        sa.event.listen(database, "before_cursor_execute", note)
        api.get("releases/")
        sa.event.remove(database, "before_cursor_execute", note)
        return len(statements)

    for n in range(3):
        api.made(str(n), commits=[{"id": str(n), "author_name": f"a{n}"}])
    few = count()
    for n in range(3, 30):
        api.made(str(n), commits=[{"id": str(n), "author_name": f"a{n}"}])
    assert count() == few


@examples(200)
@given(st.text(max_size=300))
def test_any_query_is_read_or_refused(text: str) -> None:
    with suppress(QueryError):
        parse_query(text)


@examples(200)
@given(st.text(max_size=60))
def test_any_cursor_and_page_size_is_read_or_refused(text: str) -> None:
    for parse in (parse_cursor, parse_page_size):
        with suppress(ValueError):
            parse(text)
