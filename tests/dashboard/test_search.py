"""Search: everything that a name names, the same on page and API; and the outcome beside each delivery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from shared.domain.push import Repository
from shared.ledger import repositories
from shared.ledger.tables import deliveries as delivery_table
from shared.ledger.tables import jobs as job_table
from tests.dashboard import ledger
from tests.dashboard.ledger import Filled
from worker.commits.history_writer import log_step

BEARER = {"Authorization": f"Bearer {ledger.OPERATOR}"}


def found(client: FlaskClient, words: str) -> Any:
    answer = client.get("/api/v1/search", query_string={"q": words}, headers=BEARER)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def named(client: FlaskClient, words: str) -> list[tuple[str, str, bool]]:
    """(id or name, what matched, exactly) of each hit."""
    hits = found(client, words)["items"]
    return [((hit["job"] or hit["delivery"] or {"id": hit["repository"]})["id"], hit["matched"], hit["exact"]) for hit in hits]


def test_a_tag_a_branch_and_a_version_are_found_exact_ones_first_then_the_newest(
    stranger: FlaskClient, engine: Engine, filled: Filled
) -> None:
    assert named(stranger, "v1.1.0") == [(filled.failed, "version", True)]
    assert named(stranger, "refs/tags/v1.1.0") == [(filled.failed, "ref", True)]
    assert named(stranger, "try-it") == [("d-ignored", "ref", True)]
    _, job = ledger.accept(engine, ledger.rules(), name="v1.1.0-rc1")
    assert named(stranger, "v1.1.0") == [(filled.failed, "version", True), (job, "version", False)]
    every = [filled.cancelled, filled.queued, filled.retrying, filled.failed, filled.succeeded]
    assert named(stranger, " v1. ") == [(one, "version", False) for one in (job, *every)]


def test_what_is_no_pattern_matches_nothing_else(stranger: FlaskClient, filled: Filled) -> None:
    for words in ("v1%", "v_.1.0", "V1.1.0", "v1.1.0'", "*"):
        assert named(stranger, words) == []


def test_ids_are_found_whole_and_by_their_beginning(stranger: FlaskClient, filled: Filled) -> None:
    assert named(stranger, filled.failed) == [(filled.failed, "job_id", True)]
    assert (filled.failed, "job_id", False) in named(stranger, filled.failed[:20])
    assert named(stranger, "d-refused") == [("d-refused", "delivery_id", True)]
    assert {hit[0] for hit in named(stranger, "d-re") if hit[1] == "delivery_id"} == {"d-refused", "d-retrying"}


def test_a_commit_is_found_by_seven_digits_of_the_pushed_head(stranger: FlaskClient, engine: Engine, filled: Filled) -> None:
    with engine.begin() as connection:
        sha = connection.execute(sa.select(job_table.c.sha).where(job_table.c.id == filled.failed)).scalar_one()
    assert named(stranger, sha) == []  # until the sweeper has logged the push, seconds later
    while log_step(engine, provider="github", repository="acme/shop", rules=ledger.rules()):
        pass
    assert (filled.failed, "commit", True) in named(stranger, sha)
    assert (filled.failed, "commit", False) in named(stranger, sha[:7].upper())
    assert named(stranger, sha[:6]) == []


def test_jobs_without_a_delivery_are_found_by_tag_and_commit(stranger: FlaskClient, engine: Engine, filled: Filled) -> None:
    loose = {"delivery_seq": None, "version": "other", "sha": "c0ffee" + "0" * 34}
    with engine.begin() as connection:
        connection.execute(job_table.update().where(job_table.c.id == filled.failed).values(loose))
        connection.execute(delivery_table.delete().where(delivery_table.c.delivery_id == filled.delivery))
    assert named(stranger, "v1.1.0") == [(filled.failed, "ref", True)]
    assert named(stranger, "c0ffee0") == [(filled.failed, "commit", False)]


def test_a_repository_is_found_without_case_by_its_beginning_and_with_its_provider(
    stranger: FlaskClient, engine: Engine
) -> None:
    with engine.begin() as connection:
        pushed = {Repository("github", name): [datetime.now(UTC)] for name in ("Acme/Shop", "acme/shop-web")}
        repositories.note(connection, pushed, {})
    assert named(stranger, "acme/shop") == [
        ("github:Acme/Shop", "repository", True),
        ("github:acme/shop-web", "repository", False),
    ]
    assert named(stranger, "github:acme/shop-w") == [("github:acme/shop-web", "repository", False)]
    assert named(stranger, "gitlab:acme/shop") == []


def test_long_refs_of_many_bytes_are_stored_and_told_apart(stranger: FlaskClient, engine: Engine) -> None:
    same = "\U0001f600" * 300  # over what an index of PostgreSQL may hold
    for end in ("a", "b"):
        ledger.accept(engine, ledger.rules(), ref=f"refs/heads/{same}{end}", delivery_id=f"d-{end}")
    assert named(stranger, same + "a")[0] == ("d-a", "ref", True)
    assert ("d-b", "ref", True) not in named(stranger, same + "a")


def test_a_single_exact_hit_is_opened_and_several_say_why_and_what_to_do(
    operator: FlaskClient, engine: Engine, filled: Filled
) -> None:
    assert operator.get("/search?q=v1.1.0").location == f"/jobs/{filled.failed}"
    assert operator.get("/search?q=try-it").location == "/deliveries/d-ignored?provider=github"
    ledger.accept(engine, ledger.rules(), name="v1.1.0", repository="acme/web")
    text = operator.get("/search?q=v1.1.0").text
    for part in ("project_unknown", "no project for Fix the till", "Create the project", "target_paused", "resume it"):
        assert part in text
    assert 'name="q"' in operator.get("/").text


def test_nothing_found_says_where_to_look(operator: FlaskClient, stranger: FlaskClient, filled: Filled) -> None:
    advice = found(stranger, "v9")["advice"]
    assert "more than three tags" in advice
    assert "signature_wrong: the signature is wrong" in advice
    assert "more than three tags" in operator.get("/search?q=v9").text


@pytest.mark.parametrize("words", ["", "  ", "a" * 1025, "a\x00"])
def test_what_cannot_be_a_name_is_refused_and_the_box_stays(operator: FlaskClient, stranger: FlaskClient, words: str) -> None:
    assert stranger.get("/api/v1/search", query_string={"q": words}, headers=BEARER).status_code == 400
    page = operator.get("/search", query_string={"q": words})
    assert page.status_code == (400 if words.strip() else 200)
    assert 'name="q"' in page.text


def test_a_list_is_cut_and_says_so(stranger: FlaskClient, engine: Engine) -> None:
    for number in range(30):
        ledger.accept(engine, ledger.rules(), ref="refs/heads/main", delivery_id=f"d-{number:02}")
    answer = found(stranger, "main")
    assert (len(answer["items"]), answer["is_cut"]) == (25, True)
    assert answer["items"][0]["delivery"]["id"] == "d-29"


def test_a_delivery_says_what_became_of_it(
    operator: FlaskClient, stranger: FlaskClient, engine: Engine, filled: Filled
) -> None:
    _, job = ledger.accept(engine, ledger.rules(), name="v3", delivery_id="d-expired")
    with engine.begin() as connection:
        connection.execute(job_table.delete().where(job_table.c.id == job))
    items = stranger.get("/api/v1/deliveries", headers=BEARER).get_json()["items"]
    told = {item["id"]: (item["outcome"]["state"], item["outcome"]["text"], item["outcome"]["job"]) for item in items}
    assert told == {
        "d-succeeded": ("released", "released v1.0.0", filled.succeeded),
        "d-failed": ("failed", "failed: project_unknown", filled.failed),
        "d-retrying": ("waiting", "waiting: target_paused", filled.retrying),
        "d-queued": ("waiting", "waiting: target_paused", filled.queued),
        "d-cancelled": ("cancelled", "cancelled", filled.cancelled),
        "d-ignored": ("ignored", "ignored: branch_not_matched", None),
        "d-refused": ("refused", "refused: signature_wrong", None),
        "d-expired": ("expired", "expired", None),
    }
    advice = {item["id"]: item["advice"] or "" for item in items}
    assert "Create the project" in advice["d-failed"]
    assert "add it to a rule" in advice["d-ignored"]
    for address in ("/", "/deliveries"):
        text = operator.get(address).text
        assert f'href="/jobs/{filled.failed}"' in text
        assert "released v1.0.0" in text


def test_the_worst_of_several_jobs_decides(stranger: FlaskClient, engine: Engine, filled: Filled) -> None:
    with engine.begin() as connection:
        of_both = {"jobs": [filled.succeeded, filled.failed]}
        connection.execute(delivery_table.update().where(delivery_table.c.delivery_id == "d-succeeded").values(of_both))
    answer = stranger.get("/api/v1/deliveries/d-succeeded", headers=BEARER).get_json()
    assert answer["outcome"]["text"] == "failed: project_unknown at main (1 of 2 jobs)"


def test_a_page_of_deliveries_asks_for_its_jobs_once(operator: FlaskClient, engine: Engine) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    asked = []
    app_engine: Engine = operator.application.extensions["services"].engine
    sa.event.listen(app_engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    counts = []
    for most in (2, 12):
        for number in range(most):
            ledger.accept(engine, ledger.rules(), name=f"v{most}.{number}", at=start + timedelta(seconds=number))
        asked.clear()
        operator.get("/deliveries")
        counts.append(len(asked))
    assert counts[0] == counts[1]
