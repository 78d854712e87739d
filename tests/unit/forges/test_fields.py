"""Hostile JSON: what is read, what is refused, and that every refusal names the field."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.names import clean
from shared.domain.push import FileChange
from shared.errors import BadPayload
from shared.forges.commit_fields import check_commits, read_commit, read_commits
from shared.forges.json_fields import MAX_COMMITS, MAX_FILES, MAX_MESSAGE, MAX_PATH, Fields, read_json
from tests.builders import examples
from webhook.local.sample_webhooks import sha

ODD = "\ufffd"
OBJECT: dict[str, object] = {"a": 1}


def fields(**values: object) -> Fields:
    return read_json(json.dumps(values).encode())


def refused(body: bytes) -> str:
    with pytest.raises(BadPayload) as caught:
        read_json(body)
    return str(caught.value)


# --- JSON itself -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b"",
        b" ",
        b'{"a": 1',
        b"{'a': 1}",
        b'{"a": 01}',
        b'{"a": 1,}',
        b'{"a": "tab\there"}',
        b'{"a": 1} {"a": 2}',
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda body: body[:14].decode(),
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    assert refused(body) == "the body is not JSON"


@pytest.mark.parametrize(
    "body",
    [b'{"a": "\xff"}', b'{"a": "\xc3"}', b'{"a": "\xed\xa0\x80"}', '{"a": "é"}'.encode("latin-1"), '{"a": 1}'.encode("utf-16")],
    ids=["a stray byte", "cut off", "a surrogate", "latin-1", "utf-16 with a mark"],
)
def test_what_is_not_utf8_is_refused(body: bytes) -> None:
    assert refused(body) == "the body is not UTF-8"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-8-sig"])
def test_utf16_without_a_mark_and_utf8_with_one_are_refused(encoding: str) -> None:
    assert refused('{"a": 1}'.encode(encoding)) == "the body is not JSON"


@pytest.mark.parametrize("body", [b"[]", b"null", b"true", b"1", b'"text"'])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    assert refused(body) == "the body must be a JSON object"


def nested(levels: int, opening: str, closing: str) -> bytes:
    """An object of this many levels, itself the first."""
    inner = levels - 1
    return ('{"a": ' + opening * inner + "1" + closing * inner + "}").encode()


@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"a": ', "}"), ('[{"a": [', "]}]")], ids=["lists", "objects", "both"]
)
def test_a_hundred_levels_are_read_and_one_more_is_refused(opening: str, closing: str) -> None:
    step = opening.count("[") + opening.count("{")
    assert read_json(nested(1 + 99 // step, opening, closing)).has("a")
    assert "nested more than 100 levels" in refused(nested(101, opening, closing))
    assert read_json(nested(100, "[", "]")).has("a")


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_hundred_thousand_levels_are_refused_and_no_fault_of_ours(opening: bytes) -> None:
    assert "nested more than 100 levels" in refused(b'{"a": ' + opening * 100_000)


def test_many_brackets_side_by_side_are_no_depth() -> None:
    assert len(read_json(json.dumps({"a": [{"b": []}] * 500}).encode()).objects("a", 500)) == 500


@pytest.mark.parametrize("item", [b"[]", b'{"a":1}', b'["\\"",{}]'], ids=["lists", "objects", "behind a text"])
def test_more_lists_and_objects_than_any_push_has_are_refused_unread(item: bytes) -> None:
    """They take a hundred times the memory that they take on the wire, and seconds in which no other request is answered."""
    body = b'{"a":[' + (item + b",") * (20_000_000 // len(item)) + item + b"]}"
    before = time.process_time()
    assert "more than 250000 lists and objects" in refused(body)
    assert time.process_time() - before < 1


def test_brackets_inside_texts_are_no_lists() -> None:
    for text in ("[{" * 300_000, '\\"[' * 300_000, "[" * 300_000 + '"'):
        assert read_json(json.dumps({"a": text, "b": [{}]}).encode()).text("a", 2_000_000) == text


@pytest.mark.parametrize("body", [b'{"a":"' + b'\\"[' * 6_000_000, b'{"a":"' + b"[" * 300_000 + b"\\", b'"[' * 6_000_000])
def test_texts_without_an_end_are_looked_through_once(body: bytes) -> None:
    before = time.process_time()
    assert refused(body)
    assert time.process_time() - before < 5


def test_brackets_inside_texts_are_no_depth() -> None:
    assert fields(a="[{" * 200).text("a", 400) == "[{" * 200


def test_of_duplicate_keys_the_last_counts_everywhere() -> None:
    assert read_json(b'{"ref": "refs/heads/a", "ref": "refs/heads/b"}').ref("ref").full == "refs/heads/b"


@pytest.mark.parametrize(
    ("escaped", "read"),
    [
        (r"a\u0000b", f"a{ODD}b"),
        (r"\ud800", ODD),
        (r"\udfff\ud800", ODD * 2),
        (r"\ud83d\ude00", "😀"),
        (r"größe \u2028", "größe \u2028"),
    ],
)
def test_nul_and_lone_surrogates_become_the_replacement_character(escaped: str, read: str) -> None:
    text = read_json(f'{{"a": "{escaped}"}}'.encode()).text("a", 50)
    assert text == read
    assert text.encode()


@given(st.text(alphabet=st.characters(codec=None)))
@examples(100)
def test_a_cleaned_text_is_always_storable_and_as_long(text: str) -> None:
    cleaned = clean(text)
    assert "\x00" not in cleaned
    assert cleaned.encode().decode() == cleaned
    assert len(cleaned) == len(text)


# --- fields ----------------------------------------------------------------------------------------------------------

# method, its arguments after the name, a wrong value, what the refusal wants
WRONG = [
    ("text", (10,), None, "a string is missing"),
    ("text", (10,), 1, "must be a string"),
    ("text", (10,), ["a"], "must be a string"),
    ("text", (3,), "abcd", "is longer than 3 characters"),
    ("optional_text", (10,), True, "must be a string"),
    ("optional_text", (10,), {}, "must be a string"),
    ("flag", (), 0, "must be true or false"),
    ("flag", (), "true", "must be true or false"),
    ("count", (), "1", "must be a whole number"),
    ("count", (), True, "must be a whole number"),
    ("count", (), -1, "must be a whole number"),
    ("count", (), 1.0, "must be a whole number"),
    ("count", (), 2**53, "must be a whole number"),
    ("count", (), 10**400, "must be a whole number"),
    ("object", (), None, "an object is missing"),
    ("object", (), [], "must be an object"),
    ("optional_object", (), "x", "must be an object"),
    ("objects", (5,), {}, "must be a list"),
    ("objects", (5,), "abc", "must be a list"),
    ("objects", (1,), [{}, {}], "holds more than 1 entries"),
    ("texts", (5, 5), 1, "must be a list"),
    ("texts", (1, 5), ["a", "b"], "holds more than 1 entries"),
    ("sha", (), None, "a string is missing"),
    ("sha", (), 40, "must be a string"),
    ("sha", (), "", "must be 40 or 64 hexadecimal digits"),
    ("sha", (), "a" * 39, "must be 40 or 64 hexadecimal digits"),
    ("sha", (), "a" * 41, "must be 40 or 64 hexadecimal digits"),
    ("sha", (), "g" * 40, "must be 40 or 64 hexadecimal digits"),
    ("sha", (), "a" * 40 + "\n", "must be 40 or 64 hexadecimal digits"),
    ("sha", (), "٣" * 40, "must be 40 or 64 hexadecimal digits"),
    ("sha", (), "a" * 65, "is longer than 64 characters"),
    ("optional_sha", (), "HEAD", "must be 40 or 64 hexadecimal digits"),
    ("optional_sha", (), 0, "must be a string"),
    ("full_name", (), None, "a string is missing"),
    ("full_name", (), "a/" * 300, "is longer than 512 characters"),
    ("time", (), 1772442000, "must be a string"),
]


@pytest.mark.parametrize(("method", "arguments", "value", "wanted"), WRONG, ids=lambda part: repr(part)[:30])
def test_a_value_of_the_wrong_shape_is_refused_by_its_path(
    method: str, arguments: tuple[int, ...], value: object, wanted: str
) -> None:
    inner = fields(outer={"field": value}).object("outer")
    with pytest.raises(BadPayload) as caught:
        getattr(inner, method)("field", *arguments)
    assert str(caught.value) == f"outer.field: {wanted}"


@pytest.mark.parametrize(
    ("method", "arguments", "empty"),
    [
        ("optional_text", (5,), None),
        ("flag", (), None),
        ("count", (), None),
        ("optional_object", (), None),
        ("objects", (5,), []),
        ("texts", (5, 5), None),
        ("optional_sha", (), None),
        ("time", (), None),
    ],
)
@pytest.mark.parametrize("values", [{}, {"field": None}], ids=["absent", "null"])
def test_an_optional_field_may_be_absent_or_null(
    method: str, arguments: tuple[int, ...], empty: object, values: dict[str, object]
) -> None:
    assert getattr(fields(**values), method)("field", *arguments) == empty


def test_a_bad_entry_of_a_list_is_named_by_its_place() -> None:
    body = fields(commits=[{"id": sha("a")}, {"added": ["ok", 1]}], mixed=[{}, None])
    with pytest.raises(BadPayload, match=r"^mixed\[1\]: must be an object$"):
        body.objects("mixed", 5)
    with pytest.raises(BadPayload, match=r"^commits\[1\]\.added\[1\]: must be a string of at most 9 characters$"):
        body.objects("commits", 5)[1].texts("added", 5, 9)
    with pytest.raises(BadPayload, match=r"^commits\[1\]\.id: a string is missing$"):
        read_commit(body.objects("commits", 5)[1])


_ODD_VALUES: list[object] = [
    None,
    True,
    0,
    1.5,
    "",
    "x",
    "\ud800",
    [],
    [None],
    ["a", 1],
    {},
    {"name": 1},
    "a" * 5_000,
    ["a" * 5_000],
]
_TIMES = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z", "2026-03-01T10:00:00Z", "2" * 65]
_GOOD_COMMIT: dict[str, object] = {
    "id": sha("a"),
    "message": "m",
    "author": {"name": "Ada"},
    "added": ["a"],
    "timestamp": _TIMES[3],
}
_ODD_COMMITS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from([sha("a"), sha("a").upper(), "a" * 64, "a" * 41, *_ODD_VALUES]),
        "message": st.sampled_from(_ODD_VALUES),
        "timestamp": st.sampled_from([*_TIMES, *_ODD_VALUES]),
        "author": st.sampled_from([{"name": "Ada", "email": None}, {"name": [1]}, {"email": {}}, *_ODD_VALUES]),
        **{name: st.sampled_from([["a", "b"], *_ODD_VALUES]) for name in ("added", "removed", "modified")},
    },
)


@given(
    st.lists(
        st.one_of(_ODD_COMMITS, _ODD_COMMITS.map(lambda odd: _GOOD_COMMIT | odd), st.sampled_from(_ODD_VALUES)), max_size=3
    )
    | st.sampled_from(_ODD_VALUES)
)
@example([{"id": sha("a"), "timestamp": _TIMES[0]}])
@example([{"id": sha("a"), "timestamp": _TIMES[1]}])
@examples(1_500)
def test_checking_commits_refuses_what_reading_them_does(listed: object) -> None:
    def refusal(reader: Callable[[Fields], object]) -> str | None:
        try:
            reader(Fields({"commits": listed}, ""))
        except BadPayload as problem:
            return str(problem)
        return None

    assert refusal(check_commits) == refusal(read_commits)


def test_a_number_beyond_all_bounds_is_no_whole_number() -> None:
    with pytest.raises(BadPayload, match=r"^a: must be a whole number$"):
        read_json(b'{"a": 1e400}').count("a")


def test_a_text_is_cut_only_where_the_reader_says_so() -> None:
    assert fields(a="abcdef").text("a", 3, cut=True) == "abc"
    assert fields(a="abc").text("a", 3) == "abc"


def test_counts_and_flags_are_read_as_they_are() -> None:
    body = fields(none=0, most=2**53 - 1, yes=True, no=False)
    assert (body.count("none"), body.count("most"), body.flag("yes"), body.flag("no")) == (0, 2**53 - 1, True, False)


@pytest.mark.parametrize(
    ("value", "read"), [("A" * 40, "a" * 40), ("0" * 40, "0" * 40), ("0" * 64, "0" * 64), ("aB" * 32, "ab" * 32)]
)
def test_ids_of_40_and_64_digits_are_read_in_lower_case(value: str, read: str) -> None:
    assert fields(id=value).sha("id") == read
    assert fields(id=value).optional_sha("id") == read


@pytest.mark.parametrize(
    "name",
    [
        "refs/heads/main",
        "refs/tags/v1.0.0",
        "refs/heads/feature/größe",
        "refs/tags/web/v3",
        "refs/notes/commits",
        "refs/heads/-dash",
        "refs/heads/a@b",
        "refs/tags/1.0+5",
        'refs/heads/<script>"',
    ],
)
def test_a_ref_that_git_allows_is_read(name: str) -> None:
    assert fields(ref=name).ref("ref").full == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "main",
        "v1.0.0",
        "refs/",
        "refs/tags/",
        "HEAD",
        "/refs/heads/a",
        "refs/heads/a b",
        "refs/heads/a\nb",
        "refs/heads/a\n",
        "refs/heads/a..b",
        "refs/heads/a//b",
        "refs/heads/.a",
        "refs/heads/a.",
        "refs/heads/a/",
        "refs/heads/a.lock",
        "refs/heads/a.lock/b",
        "refs/heads/a@{1}",
        "refs/heads/a~1",
        "refs/heads/a^",
        "refs/heads/a:b",
        "refs/heads/a?",
        "refs/heads/*",
        "refs/heads/[a",
        "refs/heads/a\\b",
        "refs/heads/a\x7f",
        "refs/tags/v1\x00",
        "refs/tags/v1\ud800",
        "refs/heads/../../etc",
    ],
)
def test_a_ref_that_git_forbids_is_refused(name: str) -> None:
    with pytest.raises(BadPayload, match=r"^ref: must be a full ref name"):
        fields(ref=name).ref("ref")


@pytest.mark.parametrize("name", ["acme/shop", "a/b/c/d/e", "acme/.github", "Acme_1/shop-2.js", "acme/..."])
def test_a_repository_name_is_read(name: str) -> None:
    assert fields(name=name).full_name("name") == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "shop", "/shop", "acme/", "acme//shop", "acme/..", "../shop", "acme/./shop", "acme/sh op", "acme/shop\n"),
        *("acme/größe", "acme/shop?x", "acme/shop#x", "acme/%2e%2e", "acme\\shop", "acme/a@b", "acme/" + "a" * 256),
    ],
)
def test_a_repository_name_that_is_unsafe_in_a_url_is_refused(name: str) -> None:
    with pytest.raises(BadPayload, match=r"^name: must be a repository name such as owner/name$"):
        fields(name=name).full_name("name")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-02T10:00:00+01:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("2026-03-02T10:00:00Z", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ("2026-03-02 10:00:00", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ("2026-03-02T10:00:00.123456-05:00", datetime(2026, 3, 2, 15, 0, 0, 123456, tzinfo=UTC)),
        ("1969-12-31T23:59:59Z", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_utc(text: str, moment: datetime) -> None:
    read = fields(at=text).time("at")
    assert read == moment
    assert read is not None
    assert read.utcoffset() == moment.utcoffset()


# --- commits ---------------------------------------------------------------------------------------------------------


def read_one(**values: object) -> object:
    return read_commit(fields(id=sha("a"), **values))


def test_a_commit_of_an_id_alone_is_read_with_nothing_invented() -> None:
    commit = read_commit(fields(id=sha("a")))
    assert (commit.message, commit.author_name, commit.author_email, commit.timestamp, commit.files) == (
        "",
        None,
        None,
        None,
        None,
    )


def test_empty_file_lists_say_that_nothing_changed_and_no_lists_say_nothing() -> None:
    assert read_commit(fields(id=sha("a"), added=[])).files == ()
    assert read_commit(fields(id=sha("a"), added=None, removed=None)).files is None


def test_the_three_file_lists_become_sentrys_letters() -> None:
    commit = read_commit(fields(id=sha("a"), added=["new"], removed=["old"], modified=["same"]))
    assert commit.files == (FileChange("new", "A"), FileChange("old", "D"), FileChange("same", "M"))


def test_a_path_in_two_lists_is_one_modification() -> None:
    commit = read_commit(fields(id=sha("a"), added=["x", "y"], removed=["x"], modified=["y", "z", "z"]))
    assert commit.files == (FileChange("x", "M"), FileChange("y", "M"), FileChange("z", "M"))


def test_an_overlong_message_is_cut() -> None:
    assert len(read_commit(fields(id=sha("a"), message="m" * 70_000)).message) == MAX_MESSAGE


@pytest.mark.parametrize(
    "moment",
    [
        "",
        "UTC",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "2026-03-01T10:00:00+99:00",
        "10889-01-01T00:00:00Z",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00",
        "2" * 65,
    ],
)
def test_an_unreadable_or_absurd_time_is_unknown_and_costs_no_release(moment: str) -> None:
    values = {"id": sha("a"), "message": "m", "timestamp": moment, "added": ["x"]}
    check_commits(fields(commits=[values]))
    (commit,) = read_commits(fields(commits=[values]))
    assert (commit.timestamp, commit.message, commit.files) == (None, "m", (FileChange("x", "A"),))


@pytest.mark.parametrize(
    "lists",
    [{"added": ["p" * (MAX_PATH + 1)]}, {"modified": ["a"] * (MAX_FILES + 1)}, {"added": ["x"], "removed": ["p" * 9_999]}],
)
def test_too_many_or_too_long_paths_mean_that_the_files_are_unknown(lists: dict[str, list[str]]) -> None:
    check_commits(fields(commits=[{"id": sha("a"), **lists}]))
    assert read_commit(fields(id=sha("a"), **lists)).files is None
    kept = read_commit(fields(id=sha("a"), added=["p" * MAX_PATH])).files
    assert kept is not None
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"author": "Ada"}, "author"),
        ({"author": {"name": 1}}, "author.name"),
        ({"author": {"email": []}}, "author.email"),
        ({"message": 1}, "message"),
        ({"timestamp": 1}, "timestamp"),
        ({"added": "a.txt"}, "added"),
        ({"removed": [None]}, "removed[0]"),
        ({"modified": {"a": 1}}, "modified"),
    ],
)
def test_a_commit_field_of_the_wrong_type_is_named(values: dict[str, object], named: str) -> None:
    with pytest.raises(BadPayload) as caught:
        read_one(**values)
    assert str(caught.value).startswith(f"{named}: ")


def test_more_commits_than_any_provider_lists_are_refused() -> None:
    assert len(fields(commits=[{}] * MAX_COMMITS).objects("commits", MAX_COMMITS)) == MAX_COMMITS
    with pytest.raises(BadPayload, match=r"^commits: holds more than 10000 entries$"):
        fields(commits=[{}] * (MAX_COMMITS + 1)).objects("commits", MAX_COMMITS)
