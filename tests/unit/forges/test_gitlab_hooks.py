"""GitLab's payloads as values: pushes, tag pushes, system hooks, the commit of a tag, delivery ids of old servers."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.push import Ignored, Push
from shared.errors import BadPayload
from shared.forges.gitlab.webhooks import read
from tests.builders import incoming, payload, replaced, without

PUSH, TAG, SYSTEM = "Push Hook", "Tag Push Hook", "System Hook"


def read_push(source: str | dict[str, Any], event: str = PUSH) -> Push:
    content = read(incoming("gitlab", payload("gitlab", source) if isinstance(source, str) else source, event=event)).content
    assert isinstance(content, Push)
    return content


def read_ignored(event: str, source: str | dict[str, Any]) -> Ignored:
    body = payload("gitlab", source) if isinstance(source, str) else source
    content = read(incoming("gitlab", body, event=event)).content
    assert isinstance(content, Ignored)
    return content


def test_a_branch_push_gives_ref_head_and_commits_oldest_first() -> None:
    push = read_push("push_hook__branch")
    assert (push.repository.key, push.repository.default_branch) == ("gitlab:acme/backend/shop", "main")
    assert (push.ref.kind, push.ref.name) == ("branch", "main")
    assert push.sha == push.after == push.commits[-1].id
    assert [commit.message.partition("\n")[0] for commit in push.commits] == [
        "Count the basket in cents",
        "Drop the float prices",
    ]
    assert push.head_commit == push.commits[-1]
    assert push.commits_total == 2


def test_gitlab_never_says_whether_a_push_was_forced() -> None:
    assert read_push("push_hook__branch").is_forced is None


def test_a_list_cut_at_20_keeps_the_true_total() -> None:
    push = read_push("push_hook__branch_cut_at_20")
    assert (len(push.commits), push.commits_total) == (20, 57)
    assert push.sha == push.commits[-1].id


def test_annotated_gitlab_tag_gives_the_commit_never_the_tag_object() -> None:
    body = payload("gitlab", "tag_push_hook__annotated")
    push = read_push(body, TAG)
    assert push.sha == body["checkout_sha"]
    assert push.sha != body["after"] == push.after


def test_lightweight_gitlab_tag_gives_the_commit() -> None:
    push = read_push("tag_push_hook__lightweight", TAG)
    assert push.sha == push.after


def test_a_moved_tag_gives_the_new_commit() -> None:
    push = read_push("tag_push_hook__moved", TAG)
    assert not push.is_created
    assert push.head_commit is not None
    assert push.sha == push.head_commit.id


def test_a_tag_push_without_commits_still_gives_its_commit() -> None:
    push = read_push("tag_push_hook__no_commits", TAG)
    assert (push.commits, push.head_commit) == ((), None)
    assert push.sha == payload("gitlab", "tag_push_hook__no_commits")["checkout_sha"]


def test_a_tag_whose_commit_is_not_said_points_at_no_commit() -> None:
    assert read_push(payload("gitlab", "tag_push_hook__annotated", checkout_sha=None), TAG).sha is None


def test_a_branch_push_without_checkout_sha_is_at_its_after() -> None:
    push = read_push(without(payload("gitlab", "push_hook__branch"), "checkout_sha"))
    assert push.sha == push.after


@pytest.mark.parametrize(("name", "event"), [("push_hook__branch_deleted", PUSH), ("tag_push_hook__deleted", TAG)])
def test_a_deleted_ref_has_no_commit(name: str, event: str) -> None:
    push = read_push(name, event)
    assert push.sha is None
    assert push.is_deleted


def test_a_new_branch_without_commits_is_read() -> None:
    push = read_push("push_hook__new_branch_no_commits")
    assert (push.is_created, push.commits) == (True, ())
    assert push.sha is not None


def test_deep_subgroups_are_part_of_the_name() -> None:
    name = "acme/platform-engineering/commerce/storefront-services/checkout/basket-service"
    assert read_push("push_hook__deep_subgroups").repository.full_name == name


def test_ids_of_a_sha256_repository_are_taken() -> None:
    assert len(read_push("push_hook__sha256_branch").sha or "") == 64


def test_names_and_paths_beyond_ascii_survive() -> None:
    push = read_push("push_hook__unicode")
    assert push.ref.name == "größe"
    assert push.commits[0].author_email == "zoë@acme.test"
    assert push.commits[0].files is not None
    assert push.commits[0].files[0].path == "docs/注文.md"


def test_an_empty_address_is_no_fault() -> None:
    assert read_push("push_hook__odd_authors").commits[0].author_email == ""


# --- system hooks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["system_hook__push", "system_hook__push_without_object_kind"])
def test_a_system_hook_of_a_push_is_a_push(name: str) -> None:
    assert read_push(name, SYSTEM).ref.kind == "branch"


def test_a_system_hook_of_a_tag_push_is_a_tag() -> None:
    push = read_push("system_hook__tag_push", SYSTEM)
    assert push.ref.kind == "tag"
    assert push.sha == payload("gitlab", "system_hook__tag_push")["checkout_sha"]


@pytest.mark.parametrize("name", ["system_hook__repository_update", "system_hook__project_create"])
def test_other_system_hooks_are_ignored(name: str) -> None:
    assert read_ignored(SYSTEM, name).reason == "event_ignored"


def test_a_system_hook_whose_kind_is_no_text_is_refused_by_name() -> None:
    with pytest.raises(BadPayload, match=r"^object_kind: must be a string$"):
        read_ignored(SYSTEM, {"object_kind": ["push"]})


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ("Issue Hook", "issue_hook__opened"),
        ("Merge Request Hook", "merge_request_hook__merged"),
        ("Release Hook", "release_hook__create"),
    ],
)
def test_every_other_event_is_ignored_with_its_repository(event: str, name: str) -> None:
    ignored = read_ignored(event, name)
    assert ignored.reason == "event_ignored"
    assert ignored.repository is not None
    assert ignored.repository.full_name == "acme/backend/shop"


def test_the_header_decides_not_the_body_except_for_system_hooks() -> None:
    assert read_ignored("Note Hook", "push_hook__branch").reason == "event_ignored"


# --- what is refused, by name ----------------------------------------------------------------------------------------

WRONG: list[tuple[tuple[str | int, ...], object, str]] = [
    (("ref",), None, "ref: a string is missing"),
    (("ref",), "refs/heads/a b", "ref: must be a full ref name"),
    (("before",), 0, "before: must be a string"),
    (("after",), "", "after: must be 40 or 64"),
    (("checkout_sha",), "HEAD", "checkout_sha: must be 40 or 64"),
    (("project",), None, "project: an object is missing"),
    (("project",), 42, "project: must be an object"),
    (("project", "path_with_namespace"), "shop", "project.path_with_namespace: must be a repository name"),
    (("project", "default_branch"), {}, "project.default_branch: must be a string"),
    (("total_commits_count",), "2", "total_commits_count: must be a whole number"),
    (("total_commits_count",), -1, "total_commits_count: must be a whole number"),
    (("commits",), "none", "commits: must be a list"),
    (("commits", 1), None, "commits[1]: must be an object"),
    (("commits", 0, "id"), None, "commits[0].id: a string is missing"),
    (("commits", 0, "message"), 1, "commits[0].message: must be a string"),
    (("commits", 0, "author", "name"), {}, "commits[0].author.name: must be a string"),
]


@pytest.mark.parametrize(("path", "value", "said"), WRONG, ids=lambda part: repr(part)[:40])
def test_a_push_field_of_the_wrong_shape_is_refused_by_name(path: tuple[str | int, ...], value: object, said: str) -> None:
    with pytest.raises(BadPayload) as caught:
        read_push(replaced(payload("gitlab", "push_hook__branch"), value, *path))
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("value", "said"), [(None, "the header is missing"), ("", "the header is missing"), ("x" * 101, "is too long")]
)
def test_the_event_header_must_be_there_and_short(value: str | None, said: str) -> None:
    with pytest.raises(BadPayload, match=f"^X-Gitlab-Event: {said}$"):
        read(incoming("gitlab", {}, x_gitlab_event=value))


# --- delivery ids ----------------------------------------------------------------------------------------------------


def id_of(source: str, event: str = PUSH, **headers: str | None) -> str:
    return read(incoming("gitlab", payload("gitlab", source), event=event, idempotency_key=None, **headers)).delivery_id


def test_the_signed_id_goes_before_the_idempotency_key() -> None:
    request = incoming("gitlab", payload("gitlab", "push_hook__branch"), webhook_id="signed", idempotency_key="key")
    assert read(request).delivery_id == "signed"


def test_the_idempotency_key_is_the_delivery_id() -> None:
    assert read(incoming("gitlab", {}, event="Note Hook", idempotency_key="key")).delivery_id == "key"


def test_the_random_webhook_uuid_is_never_the_delivery_id() -> None:
    first, again = (id_of("push_hook__branch", x_gitlab_webhook_uuid=value) for value in ("a", "b"))
    assert first == again


def test_without_an_id_the_same_push_has_the_same_digest_and_another_push_another() -> None:
    ids = [id_of("push_hook__branch"), id_of("push_hook__new_branch"), id_of("tag_push_hook__annotated", TAG)]
    ids += [id_of("tag_push_hook__moved", TAG), id_of("system_hook__push", SYSTEM), id_of("issue_hook__opened", "Issue Hook")]
    assert len(set(ids)) == len(ids)
    assert id_of("push_hook__branch") == ids[0]
    assert all(len(each) == 64 for each in ids)


def test_the_digest_is_of_the_push_not_of_the_words_around_it() -> None:
    body = payload("gitlab", "push_hook__branch")
    one, other = (
        read(incoming("gitlab", {**body, "user_name": name}, idempotency_key=None)).delivery_id for name in ("Ada", "Bo")
    )
    assert one == other


@pytest.mark.parametrize(
    ("outer", "inner", "number"), [(42, 42, 42), (None, 42, 42), (42, None, 42), (42, 43, None), ("42", -1, None)]
)
def test_the_projects_number_is_optional_and_believed_only_where_nothing_says_another(
    outer: object, inner: object, number: int | None
) -> None:
    body = replaced(replaced(payload("gitlab", "push_hook__branch"), outer, "project_id"), inner, "project", "id")
    assert read_push(body).repository.id == number
