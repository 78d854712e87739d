"""A valid signature for one repository may not speak for another: secrets that are bound to repositories."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.ledger.tables import deliveries
from tests.security.door import PLAIN, TOKEN, Door, gitlab_tag, signed, source, tag

SOURCES = (source("SHOP_SECRET", "acme/shop*"), source("TILL_SECRET", "acme/till"))
LAB = (source("LAB_SECRET", "acme/*", provider="gitlab"),)


@pytest.fixture
def bound(open_door: Callable[..., Door]) -> Door:
    return open_door(sources=SOURCES)


def test_a_bound_secret_speaks_for_its_repositories_and_the_plain_one_for_the_rest(bound: Door) -> None:
    for repository, secret in (
        ("acme/shop", "shop-secret"),
        ("acme/shop-web", "shop-secret-old"),  # rotation: both are good
        ("acme/till", "till-secret"),
        ("other/thing", PLAIN),
    ):
        assert bound.send(tag(repository=repository, secret=secret)).status_code == 202, repository
    assert [job.repository for job in bound.jobs] == ["acme/shop", "acme/shop-web", "acme/till", "other/thing"]


@pytest.mark.parametrize(
    ("repository", "secret"),
    [
        ("acme/till", "shop-secret"),
        ("acme/shop", "till-secret"),
        ("other/thing", "shop-secret"),
        ("acme/shop", PLAIN),
        ("Acme/Shop", PLAIN),  # the forge takes it for acme/shop, and so do we
        ("evil/acme/shop", "shop-secret"),
    ],
)
def test_a_secret_of_one_repository_is_no_secret_of_another(bound: Door, repository: str, secret: str) -> None:
    answer, wrong = bound.send(tag(repository=repository, secret=secret)), bound.send(tag(secret="no secret at all"))
    assert (answer.status_code, answer.data, dict(answer.headers)) == (401, wrong.data, dict(wrong.headers))
    assert bound.jobs == []
    assert bound.payloads == []
    reasons = [(row.reason, row.detail) for row in bound.refused]
    assert (reasons[0][0], reasons[1][0]) == ("source_mismatch", "signature_wrong")
    assert f"does not speak for github:{repository}" in reasons[0][1], "the operator must see why"
    assert secret not in reasons[0][1]


def test_the_other_repository_cannot_be_named_in_a_second_key(bound: Door) -> None:
    """One parser reads the body for the check and for the work: the last of two equal keys counts, for both."""
    body = tag(repository="acme/shop").body.decode()
    twice = body[:-1] + ', "repository": {"full_name": "acme/till"}}'
    assert bound.send(signed(twice.encode(), "shop-secret")).status_code == 401
    assert bound.send(signed(twice.encode(), "till-secret")).status_code == 202
    assert [job.repository for job in bound.jobs] == ["acme/till"]


def test_a_form_is_bound_as_json_is(bound: Door) -> None:
    from urllib.parse import urlencode

    body = urlencode({"payload": tag(repository="acme/till").body.decode()}).encode()
    kind = "application/x-www-form-urlencoded"
    assert bound.send(signed(body, "shop-secret", Content_Type=kind)).status_code == 401
    assert bound.send(signed(body, "till-secret", Content_Type=kind)).status_code == 202


def test_an_event_of_an_organization_names_no_repository_and_makes_nothing(bound: Door) -> None:
    ping = {"zen": "x", "hook": {"events": ["push"]}, "organization": {"login": "acme"}}
    for secret in ("shop-secret", "till-secret", PLAIN):
        answer = bound.send(
            signed(ping, secret, X_GitHub_Event="ping", X_GitHub_Delivery=f"ping of {secret}".replace(" ", "-"))
        )
        assert (answer.status_code, answer.json and answer.json["reason"]) == (200, "ping")
    assert bound.send(signed(ping, "wrong", X_GitHub_Event="ping")).status_code == 401
    assert bound.jobs == []


def test_an_event_about_a_repository_is_bound_also_when_it_makes_nothing(bound: Door) -> None:
    star = {"action": "created", "repository": {"full_name": "acme/till"}}
    assert bound.send(signed(star, "shop-secret", X_GitHub_Event="star")).status_code == 401
    assert bound.send(signed(star, "till-secret", X_GitHub_Event="star")).status_code == 200


def test_nobody_uses_up_the_delivery_ids_of_another_repository(bound: Door) -> None:
    """An id that was seen before is not stored again: so an id must count within its repository alone."""
    ping = signed({"zen": "x"}, "till-secret", X_GitHub_Event="ping", X_GitHub_Delivery="same")
    assert bound.send(ping).status_code == 200
    assert bound.send(tag(repository="acme/till", secret="till-secret", delivery_id="same")).status_code == 202
    answer = bound.send(tag(repository="acme/shop", secret="shop-secret", delivery_id="same"))
    assert (answer.status_code, answer.json and answer.json["status"]) == (202, "accepted")
    again = bound.send(tag(repository="acme/shop", secret="shop-secret-old", delivery_id="same"))
    assert (answer.json, again.json) != (None, None)
    assert again.json == {"delivery_id": "same", "status": "duplicate", "jobs": answer.json["jobs"], "replayed": []}
    assert [row.delivery_id for row in bound.rows(deliveries)] == ["same"] * 3


def test_gitlab_is_bound_by_its_token(open_door: Callable[..., Door]) -> None:
    bound = open_door(sources=LAB)
    assert bound.send(gitlab_tag(secret="lab-token")).status_code == 202
    assert bound.send(gitlab_tag(secret=TOKEN)).status_code == 401
    assert bound.send(gitlab_tag(repository="other/group/thing", secret=TOKEN)).status_code == 202
    assert bound.send(tag(repository="acme/shop")).status_code == 202, "a source of GitLab's binds nothing of GitHub's"


def test_a_provider_with_sources_alone_is_open_and_one_without_any_secret_is_not(open_door: Callable[..., Door]) -> None:
    bound = open_door(sources=SOURCES, webhook_secrets={})
    assert bound.send(tag(secret="shop-secret")).status_code == 202
    assert bound.send(tag(repository="other/thing", secret="shop-secret")).status_code == 401
    assert bound.send(gitlab_tag()).status_code == 404
