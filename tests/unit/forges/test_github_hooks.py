"""GitHub's payloads as values: what each kind of push says, where the commit of a tag stands, what is ignored."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from shared.domain.push import Ignored, Push
from shared.errors import BadPayload
from shared.forges.github.webhooks import read
from tests.builders import event_of, incoming, payload, payload_files, replaced, without
from webhook.local.sample_webhooks import ZERO, SampleCommit, github_push, sha

FORM = "application/x-www-form-urlencoded"


def read_push(source: str | dict[str, Any]) -> Push:
    content = read(incoming("github", payload("github", source) if isinstance(source, str) else source)).content
    assert isinstance(content, Push)
    return content


def read_ignored(event: str, source: str | dict[str, Any]) -> Ignored:
    body = payload("github", source) if isinstance(source, str) else source
    content = read(incoming("github", body, event=event)).content
    assert isinstance(content, Ignored)
    return content


def test_a_branch_push_gives_ref_head_and_commits_oldest_first() -> None:
    push = read_push("push__branch")
    assert (push.repository.key, push.repository.default_branch) == ("github:acme/shop", "main")
    assert (push.ref.full, push.ref.kind, push.ref.name) == ("refs/heads/main", "branch", "main")
    assert push.sha == push.after == push.commits[-1].id
    assert [commit.message.partition("\n")[0] for commit in push.commits] == [
        "Count the basket in cents",
        "Drop the float prices",
        "Merge pull request #31 from acme/cents",
    ]
    assert (push.commits_total, push.is_forced, push.is_created, push.is_deleted) == (3, False, False, False)


def test_a_commit_keeps_its_whole_message_author_time_and_files() -> None:
    commit = read_push("push__branch").commits[0]
    assert commit.message.endswith("Fixes SHOP-12")
    assert (commit.author_name, commit.author_email) == ("Ada Okafor", "ada@acme.test")
    assert commit.timestamp is not None
    assert commit.timestamp.isoformat() == "2026-03-02T09:00:00+00:00"
    assert {(change.path, change.type) for change in commit.files or ()} == {("shop/money.py", "A"), ("shop/basket.py", "M")}


def test_annotated_github_tag_gives_the_commit_never_the_tag_object() -> None:
    body = payload("github", "push__annotated_tag")
    push = read_push(body)
    assert push.sha == body["head_commit"]["id"]
    assert push.sha != body["after"] == push.after
    assert push.commits == ()
    assert push.head_commit is not None


def test_lightweight_github_tag_gives_the_commit() -> None:
    push = read_push("push__lightweight_tag")
    assert push.sha == push.after


def test_a_moved_tag_gives_the_new_commit_and_is_forced() -> None:
    push = read_push("push__tag_moved")
    assert (push.is_forced, push.is_created) == (True, False)
    assert push.head_commit is not None
    assert push.sha == push.head_commit.id


def test_which_commit_a_tag_without_a_head_commit_points_at_is_left_to_the_api() -> None:
    push = read_push("push__tag_of_a_blob")
    assert (push.sha, push.is_peeled) == (push.after, False)
    assert read_push("push__annotated_tag").is_peeled


def test_a_tag_never_claims_to_know_how_many_commits_it_has() -> None:
    assert read_push("push__annotated_tag").commits_total is None


@pytest.mark.parametrize("name", ["push__branch_deleted", "push__tag_deleted", "push__sha256_branch_deleted"])
def test_a_deleted_ref_has_no_commit(name: str) -> None:
    push = read_push(name)
    assert push.sha is None
    assert push.is_deleted


def test_the_deleted_flag_alone_is_believed_too() -> None:
    assert read_push(payload("github", "push__branch", deleted=True)).sha is None


def test_a_new_branch_is_known_by_its_zeros() -> None:
    push = read_push("push__new_branch")
    assert (push.is_created, push.before, len(push.commits)) == (True, ZERO, 2)


def test_a_new_branch_without_commits_still_has_its_head() -> None:
    push = read_push("push__new_branch_no_commits")
    assert push.head_commit is not None
    assert (push.commits, push.sha) == ((), push.head_commit.id)


def test_a_forced_push_says_so() -> None:
    assert read_push("push__branch_forced").is_forced is True


def test_a_branch_set_back_lists_nothing_so_its_list_is_not_called_whole() -> None:
    push = read_push("push__branch_forced_back")
    assert (push.commits, push.commits_total) == ((), None)


@pytest.mark.parametrize(("listed", "total"), [(2_047, 2_047), (2_048, None)])
def test_a_full_list_of_commits_is_not_called_whole(listed: int, total: int | None) -> None:
    commits = [SampleCommit(f"step {number}") for number in range(listed)]
    body = github_push(repository="acme/shop", ref="refs/heads/main", commits=commits, before=sha("before"))
    assert read_push(body).commits_total == total


def test_a_list_without_the_head_is_not_called_whole() -> None:
    body = payload("github", "push__branch")
    assert read_push({**body, "commits": body["commits"][:2]}).commits_total is None


def test_ids_of_a_sha256_repository_are_taken() -> None:
    push = read_push("push__sha256_branch")
    assert len(push.sha or "") == len(push.before) == 64


def test_names_paths_and_branches_beyond_ascii_survive() -> None:
    push = read_push("push__unicode")
    commit = push.commits[0]
    assert (push.ref.name, push.repository.default_branch) == ("größe", "größe")
    assert (commit.author_name, commit.author_email) == ("Zoë Ångström-Ñandú", "zoë@acme.test")
    assert "📦" in commit.message
    assert [change.path for change in commit.files or ()] == ["docs/überblick.md", "docs/注文.md"]


def test_a_missing_author_and_a_missing_address_are_no_fault() -> None:
    _, bare = read_push("push__odd_authors").commits
    assert (bare.author_name, bare.author_email) == ("", None)


def test_the_default_branch_falls_back_to_its_old_name() -> None:
    assert (
        read_push(without(payload("github", "push__branch"), "repository", "default_branch")).repository.default_branch
        == "main"
    )


def test_a_ref_beside_branches_and_tags_is_read_as_other() -> None:
    assert read_push("push__other_ref").ref.kind == "other"


# --- what is ignored -------------------------------------------------------------------------------------------------


def test_a_ping_is_ignored_with_its_repository() -> None:
    ping = read_ignored("ping", "ping__repository")
    assert ping.reason == "ping"
    assert "the hook works" in ping.detail
    assert ping.repository is not None
    assert ping.repository.key == "github:acme/shop"


def test_a_ping_of_an_organization_has_no_repository() -> None:
    assert read_ignored("ping", "ping__organization").repository is None


def test_a_ping_of_a_hook_without_the_push_event_says_that_no_release_will_come() -> None:
    assert "not subscribed to the push event" in read_ignored("ping", "ping__without_push_event").detail


@pytest.mark.parametrize(
    "file", [file for file in payload_files("github") if event_of(file) not in ("push", "ping")], ids=lambda file: file.stem
)
def test_every_other_event_is_ignored(file: Any) -> None:
    ignored = read_ignored(event_of(file), json.loads(file.read_bytes()))
    assert (ignored.reason, ignored.ref) == ("event_ignored", None)


@pytest.mark.parametrize("repository", [[], "acme/shop", {}, {"full_name": 1}, {"full_name": "../.."}])
def test_an_ignored_event_is_not_refused_for_a_repository_of_odd_shape(repository: object) -> None:
    assert read_ignored("issues", {"repository": repository}).repository is None


# --- what is refused, by name ----------------------------------------------------------------------------------------

WRONG: list[tuple[tuple[str | int, ...], object, str]] = [
    (("ref",), 1, "ref: must be a string"),
    (("ref",), "main", "ref: must be a full ref name"),
    (("before",), None, "before: a string is missing"),
    (("before",), "HEAD", "before: must be 40 or 64"),
    (("after",), [], "after: must be a string"),
    (("repository",), None, "repository: an object is missing"),
    (("repository",), "acme/shop", "repository: must be an object"),
    (("repository", "full_name"), None, "repository.full_name: a string is missing"),
    (("repository", "full_name"), "acme", "repository.full_name: must be a repository name"),
    (("repository", "default_branch"), 1, "repository.default_branch: must be a string"),
    (("deleted",), "no", "deleted: must be true or false"),
    (("forced",), 1, "forced: must be true or false"),
    (("commits",), {}, "commits: must be a list"),
    (("commits", 0), "x", "commits[0]: must be an object"),
    (("commits", 1, "id"), "x", "commits[1].id: must be 40 or 64"),
    (("commits", 2, "author"), "x", "commits[2].author: must be an object"),
    (("commits", 0, "author", "email"), 1, "commits[0].author.email: must be a string"),
    (("commits", 0, "timestamp"), 1, "commits[0].timestamp: must be a string"),
    (("commits", 0, "added", 0), None, "commits[0].added[0]: must be a string"),
    (("head_commit",), [], "head_commit: must be an object"),
    (("head_commit", "id"), None, "head_commit.id: a string is missing"),
]


@pytest.mark.parametrize(("path", "value", "said"), WRONG, ids=lambda part: repr(part)[:40])
def test_a_push_field_of_the_wrong_shape_is_refused_by_name(path: tuple[str | int, ...], value: object, said: str) -> None:
    with pytest.raises(BadPayload) as caught:
        read_push(replaced(payload("github", "push__branch"), value, *path))
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("value", "said"), [(None, "the header is missing"), ("", "the header is missing"), ("x" * 101, "is too long")]
)
def test_the_event_header_must_be_there_and_short(value: str | None, said: str) -> None:
    with pytest.raises(BadPayload, match=f"^X-GitHub-Event: {said}$"):
        read(incoming("github", {}, x_github_event=value))


def test_github_without_a_delivery_id_is_refused() -> None:
    with pytest.raises(BadPayload, match=r"^X-GitHub-Delivery: the header is missing$"):
        read(incoming("github", {}, x_github_delivery=None))


# --- forms -----------------------------------------------------------------------------------------------------------


def test_a_form_body_reads_as_the_same_push() -> None:
    body = payload("github", "push__unicode")
    form = urlencode({"payload": json.dumps(body, ensure_ascii=False)}).encode()
    request = incoming("github", form, content_type=f"{FORM}; charset=utf-8")
    assert read(request).content == read_push(body)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (b"", "payload: the form must hold this field once"),
        (b"other=1", "payload: the form must hold this field once"),
        (b"payload={}&payload={}", "payload: the form must hold this field once"),
        (b"payload=", "the body is not JSON"),
        (b"payload=%7B", "the body is not JSON"),
        (b"payload=%FF", "the body is not a form"),
        ("payload=é".encode(), "the body is not a form"),
        (b"&".join(b"a%d=1" % number for number in range(11)), "the body is not a form"),
        (b"payload=" + quote('{"a":' * 101 + "1" + "}" * 101).encode(), "the body is nested more than 100 levels deep"),
    ],
)
def test_a_form_that_is_none_or_holds_no_payload_is_refused(form: bytes, said: str) -> None:
    with pytest.raises(BadPayload) as caught:
        read(incoming("github", form, content_type=FORM))
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("said", "number"), [(4711, 4711), (None, None), ("4711", None), (True, None), (0, None), (2**63, None)]
)
def test_the_repositorys_number_is_optional(said: object, number: int | None) -> None:
    body = replaced(payload("github", "push__branch"), said, "repository", "id")
    assert read_push(body).repository.id == number
