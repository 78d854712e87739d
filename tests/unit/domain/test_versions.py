"""What a release is called: tag parts, templates, and that no rendered version is one that Sentry refuses."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.push import is_valid_ref
from shared.domain.versions import PLACEHOLDERS, Refused, check_template, map_version, names_commit, parse_tag, render_version
from tests.builders import commit, examples, push
from webhook.local.sample_webhooks import sha

SHA = commit().id


@pytest.mark.parametrize(
    ("tag", "component", "version"),
    [
        ("v1.2.3", None, "1.2.3"),
        ("1.2.3", None, "1.2.3"),
        ("v1", None, "1"),
        ("v1.2.3-rc.1", None, "1.2.3-rc.1"),
        ("v1.0.0-0.3.7", None, "1.0.0-0.3.7"),
        ("1.2.3-4.5", None, "1.2.3-4.5"),
        ("1.2.3-v4", None, "1.2.3-v4"),
        ("1.2.3+build.5", None, "1.2.3+build.5"),
        ("2024-10-01", None, "2024-10-01"),
        ("2024.10.01", None, "2024.10.01"),
        ("1.2.3.4", None, "1.2.3.4"),
        ("api@1.2.0", "api", "1.2.0"),
        ("api@v1.2.0", "api", "1.2.0"),
        ("@acme/web@1.2.3", "@acme/web", "1.2.3"),
        ("web/v3", "web", "3"),
        ("web/1.2.3-4.5", "web", "1.2.3-4.5"),
        ("api-v1.2.3", "api", "1.2.3"),
        ("api-v1.2.3-rc.1", "api", "1.2.3-rc.1"),
        ("release-2024.10.01", "release", "2024.10.01"),
        ("shop_1.2", "shop", "1.2"),
        ("3d-viewer-1.2.0", "3d-viewer", "1.2.0"),
        ("7-zip@1.2.3", "7-zip", "1.2.3"),
        ("latest", None, "latest"),
        ("web-2", None, "web-2"),
        ("größe", None, "größe"),
    ],
)
def test_a_tag_is_taken_apart_into_component_and_version(tag: str, component: str | None, version: str) -> None:
    assert parse_tag(tag) == (component, version)


@given(st.text(max_size=60))
@examples(200)
def test_the_version_of_any_tag_is_the_end_of_its_name(tag: str) -> None:
    component, version = parse_tag(tag)
    assert tag.endswith(version)
    assert component is None or (component and tag.startswith(component))


# --- templates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template", ["{tag}", "shop@{tag}", "{sha:12}", "{sha:4}", "{sha:64}", "fixed", *(f"{{{name}}}" for name in PLACEHOLDERS)]
)
def test_a_template_that_can_be_rendered_has_no_fault(template: str) -> None:
    assert check_template(template) is None


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{nope}", "knows no placeholder {nope}: use {tag}, {branch}, {sha}"),
        ("{}", "knows no placeholder {}"),
        ("{tag:3}", "a length goes with {sha} only"),
        ("{sha:3}", "from 4 to 64"),
        ("{sha:65}", "from 4 to 64"),
        ("{sha:123}", "brace that closes no placeholder"),
        ("{tag", "brace that closes no placeholder"),
        ("tag}", "brace that closes no placeholder"),
        ("{{tag}}", "brace that closes no placeholder"),
        ("{tag!r}", "brace that closes no placeholder"),
        ("{tag.__class__}", "brace that closes no placeholder"),
        ("{TAG}", "brace that closes no placeholder"),
        ("", "is empty"),
        ("  ", "is empty"),
        ("a\tb", "holds a control character"),
        ("{tag}\u3000", "ends with a space"),
    ],
)
def test_a_faulty_template_is_told_in_one_sentence(template: str, said: str) -> None:
    assert said in (check_template(template) or "")


@pytest.mark.parametrize(
    ("template", "ref", "version"),
    [
        ("{tag}", "refs/tags/v1.0.0", "v1.0.0"),
        ("shop@{tag}", "refs/tags/v1.0.0", "shop@v1.0.0"),
        ("{component}@{version}", "refs/tags/api-v1.2.0", "api@1.2.0"),
        ("{name}@{version}", "refs/tags/v1.2.0", "shop@1.2.0"),
        ("{repo}@{tag}", "refs/tags/v1.0.0", "acme-shop@v1.0.0"),
        ("{tag}", "refs/tags/web/v3", "web-v3"),
        ("{sha}", "refs/heads/main", SHA),
        ("{sha:12}", "refs/tags/v1", SHA[:12]),
        ("{branch}-{sha:7}", "refs/heads/feature/größe", f"feature-größe-{SHA[:7]}"),
        ("nightly", "refs/heads/main", "nightly"),
    ],
)
def test_a_template_is_rendered_from_the_push(template: str, ref: str, version: str) -> None:
    assert render_version(template, push(ref)) == version


@pytest.mark.parametrize(
    ("template", "ref", "missing"),
    [
        ("{tag}", "refs/heads/main", "{tag}"),
        ("{branch}", "refs/tags/v1", "{branch}"),
        ("{component}@{version}", "refs/tags/v1.2.0", "{component}"),
        ("{version}", "refs/heads/main", "{version}"),
    ],
)
def test_a_template_whose_value_the_push_lacks_makes_no_version(template: str, ref: str, missing: str) -> None:
    refused = render_version(template, push(ref))
    assert isinstance(refused, Refused)
    assert f"{ref} has no {missing}" in refused.detail


def test_a_placeholder_inside_a_tag_is_text_not_a_placeholder() -> None:
    assert render_version("{tag}", push("refs/tags/{sha}")) == "{sha}"


# --- what Sentry refuses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("1.0.0", "1.0.0"),
        ("a/b", "a-b"),
        ("a//b", "a-b"),
        ("a\\b", "a-b"),
        (" 1.0 ", "1.0"),
        ("1.0 (12)", "1.0 (12)"),
        ("pkg@1.0+5", "pkg@1.0+5"),
        ("größe – 1", "größe – 1"),
        ("latest-1", "latest-1"),
        ("...", "..."),
        ("x" * 200, "x" * 200),
    ],
)
def test_what_a_version_may_not_hold_is_replaced_by_a_hyphen(wanted: str, version: str) -> None:
    assert map_version(wanted) == version


@pytest.mark.parametrize("wanted", ["", "  ", ".", "..", " . ", "latest", "LATEST", " Latest ", "x" * 201, "\u2003"])
def test_what_stays_refused_is_refused_before_it_is_sent(wanted: str) -> None:
    refused = map_version(wanted)
    assert isinstance(refused, Refused)
    assert refused.detail


@pytest.mark.parametrize(
    "odd",
    ["1.0\x00", "1.0\x7f", "1\t0", "1\r\n0", "1.0\x85", "1.0\x1c", "\x9b1.0", "1\u20280", "1.0\u2029", "1.0\u3000", "\xa01.0"],
)
def test_no_control_character_or_odd_space_makes_two_versions_one(odd: str) -> None:
    refused = map_version(odd)
    assert isinstance(refused, Refused)
    assert refused.detail.isprintable()
    assert map_version("1.0\u200b") == "1.0\u200b", "shown as an escape, and sent as it is"


def is_refused_by_sentry(version: str) -> bool:
    """Sentry's own rule (row 1.2 of docs/releases-endpoint.md), written down a second time."""
    trimmed = version.strip()
    return (
        not trimmed
        or len(version) > 200
        or re.search(r"[\r\n\f\t/\\]", version) is not None
        or trimmed in (".", "..")
        or trimmed.lower() == "latest"
    )


@given(st.one_of(st.text(max_size=230), st.text(alphabet=" ./\\\t\n\x0b\x85\u2028latesLATES", max_size=12)))
@examples(400)
def test_a_mapped_version_is_never_one_that_sentry_refuses(wanted: str) -> None:
    version = map_version(wanted)
    assert isinstance(version, Refused) or not is_refused_by_sentry(version)


REFS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["refs/tags/", "refs/heads/"]),
        st.text(alphabet="aetlsLATES019.-_@/+{}()ßé\u2028 \t", min_size=1, max_size=40),
    ),
)
TEMPLATES = st.lists(
    st.sampled_from(
        ["{tag}", "{branch}", "{sha}", "{sha:7}", "{repo}", "{name}", "{component}", "{version}", "@", "-", "/", " ", "x"]
    ),
    min_size=1,
    max_size=6,
).map("".join)


@given(REFS.filter(is_valid_ref), TEMPLATES)
@examples(300)
def test_a_rendered_version_is_never_one_that_sentry_refuses(ref: str, template: str) -> None:
    version = render_version(template, push(ref))
    assert isinstance(version, Refused) or not is_refused_by_sentry(version)


def test_a_sha256_commit_fits_into_a_version() -> None:
    assert render_version("{sha}", push(sha="a" * 64)) == "a" * 64
    assert render_version("{sha}", push(sha=sha("x"))) == sha("x")


@pytest.mark.parametrize(("template", "is_named"), [("{tag}", False), ("{sha}", True), ("{name}@{sha:8}", True), ("v1", False)])
def test_a_version_names_its_commit_where_the_template_does(template: str, is_named: bool) -> None:
    version = render_version(template, push("refs/tags/v1.0.0"))
    assert isinstance(version, str)
    assert names_commit(version, SHA) is is_named
