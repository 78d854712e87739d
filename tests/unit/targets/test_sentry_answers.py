"""What each answer of a target means: wait, or a person must act and on what; and what of it is ever quoted."""

from __future__ import annotations

import json

import pytest

from shared.domain.target_health import Sign
from shared.errors import PermanentError, TransientError
from shared.forges.responses import said
from shared.infra.http_client import Answer
from shared.targets.refusals import Call, refusal
from shared.targets.sentry_client import next_cursor
from tests.builders import NOW, target
from worker.jobs.retry_policy import read_sign

TARGET = target("main", url="https://sentry.acme.test", org="acme", token_env="ACME_TOKEN")


def refused(status: int, body: object = b"", call: Call = "release", **headers: str) -> TransientError | PermanentError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return refusal(Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw), TARGET, call, NOW)


@pytest.mark.parametrize("status", [408, 409, 425, 500, 502, 503, 504, 507, 524, 599])
def test_a_status_that_passes_is_tried_again(status: int) -> None:
    error = refused(status)
    assert isinstance(error, TransientError)
    assert (error.status, error.reason) == (status, None)
    assert str(error) == f"the target 'main' answered {status}"


def test_a_rate_limit_is_tried_again_when_the_target_says_so() -> None:
    error = refused(429, {"detail": "slow down"}, retry_after="17")
    assert isinstance(error, TransientError)
    assert error.reason == "rate_limited"
    assert error.retry_after is not None
    assert error.retry_after.total_seconds() == 17
    by_reset = refused(429, b"", x_sentry_rate_limit_reset=str(int(NOW.timestamp()) + 9))
    assert isinstance(by_reset, TransientError)
    assert by_reset.retry_after is not None
    assert by_reset.retry_after.total_seconds() == 9


@pytest.mark.parametrize(
    ("status", "body", "reason", "said"),
    [
        (401, {"detail": "Invalid token"}, "target_auth", "check ACME_TOKEN"),
        (403, {"detail": "no scope"}, "target_auth", "ACME_TOKEN needs the scope project:releases"),
        (404, {"detail": "none"}, "target_refused", "no organization 'acme' for this token at https://sentry.acme.test"),
        (403, {"detail": "CSRF check Failed"}, "target_auth", "check ACME_TOKEN"),
        (400, {"projects": ["Insufficient access to project web"]}, "target_auth", "Insufficient access to project web"),
        (422, {"detail": [{"loc": ["body", "payload", "projects"], "msg": "unknown"}]}, "project_unknown", "answered 422"),
        (422, {"detail": [{"projects": "unknown"}]}, "project_unknown", "answered 422"),
        (400, {"projects": ["Invalid project slugs"]}, "project_unknown", "Invalid project slugs"),
        (400, {"version": ["Release with name latest is not allowed"]}, "version_refused", "latest"),
        (400, {"refs": ["Invalid repository names: acme/shop"]}, "repository_unknown", "acme/shop"),
        (400, {"commits": {"id": ["This field is required."]}}, "target_refused", "This field is required"),
        (400, ["odd"], "target_refused", "odd"),
        (400, b"not json", "target_refused", "not json"),
        (400, b"[" * 100_000, "target_refused", "["),
        (400, b"\xff\xfe", "target_refused", "answered 400"),
        (405, b"", "target_refused", "answered 405"),
        (413, b"", "target_refused", "answered 413"),
        (422, {"version": "?"}, "version_refused", "answered 422"),
    ],
)
def test_a_status_that_stays_needs_a_person_and_names_the_reason(status: int, body: object, reason: str, said: str) -> None:
    error = refused(status, body)
    assert isinstance(error, PermanentError)
    assert (error.reason, error.status) == (reason, status)
    assert said in str(error)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_reported_with_its_location_but_not_its_query(status: int) -> None:
    error = refused(status, b"moved", location="https://sso.acme.test/login?state=s3cret")
    assert isinstance(error, PermanentError)
    assert error.reason == "target_refused"
    assert "a redirect to https://sso.acme.test/login, which is not followed: set the target's own URL" in str(error)
    assert "s3cret" not in str(error)
    assert "a redirect, which" in str(refused(status))


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("body", [b"", b"<html><title>Sign in &amp; go</title>", b"null", b"[1]", b'{"detail": "cut', b"plain"])
def test_what_is_no_json_object_did_not_come_from_the_target_and_passes(status: int, body: bytes) -> None:
    error = refused(status, body)
    assert isinstance(error, TransientError)
    assert (error.reason, error.status) == ("target_refused", status)
    said = "there is no releases API at https://sentry.acme.test" if status == 404 else "a proxy or sign-in page sent it"
    assert said in str(error)
    assert ('"Sign in & go"' in str(error)) == (b"title" in body)


@pytest.mark.parametrize("status", [403, 404, 405])
@pytest.mark.parametrize("body", [{"detail": "x"}, b"", b"<html><title>403</title>"])
def test_a_deploy_that_is_refused_says_nothing_about_the_target(status: int, body: object) -> None:
    error = refused(status, body, "deploy")
    assert isinstance(error, TransientError)
    assert (error.is_of_release, read_sign(error).sign) == (True, Sign.WELL)


def test_a_token_that_may_not_name_projects_in_a_deploy_says_nothing_about_the_target() -> None:
    error = refused(400, {"projects": ["Insufficient access to project"]}, "deploy")
    assert "ACME_TOKEN may not record this deploy: " in str(error)
    assert isinstance(refused(400, {"environment": ["Invalid value"]}, "deploy"), PermanentError)


def test_a_token_that_is_refused_pauses_the_target() -> None:
    assert read_sign(refused(403, {"detail": "x"})).sign is Sign.BARRED
    assert read_sign(refused(403, b"<html>")).sign is Sign.ILL, "paused with a time"


@pytest.mark.parametrize(
    ("link", "cursor"),
    [
        ("", None),
        ('<http://t/?cursor=0:0:1>; rel="previous"; results="true"; cursor="0:0:1"', None),
        ('<http://t/?cursor=0:100:0>; rel="next"; results="false"; cursor="0:100:0"', None),
        (
            '<http://t/?cursor=0:-1:1>; rel="previous"; results="false"; cursor="0:-1:1", '
            '<http://t/?cursor=0:100:0>; rel="next"; results="true"; cursor="0:100:0"',
            "0:100:0",
        ),
        ('<http://t/?cursor=cD0yMDI2%3D%3D>; rel="next"; results="true"; cursor="cD0yMDI2=="', "cD0yMDI2=="),
        ('<http://t/?cursor=cD0yMDI2%3D>; rel="next"', "cD0yMDI2="),
        ('<http://t/?page=2>; rel="next"; results="true"', ""),
        ('<http://t/>; rel="next"; results="true"; cursor="a b"', ""),
        ('<http://t/>; rel="next"; results="true"; cursor="' + "x" * 600 + '"', ""),
    ],
)
def test_a_cursor_is_taken_as_the_server_gives_it(link: str, cursor: str | None) -> None:
    assert next_cursor(link) == cursor


@pytest.mark.parametrize("status", [400, 500, 502, 503])
@pytest.mark.parametrize("page", [b"<html><body>Bad gateway", b"\n\n  <!DOCTYPE html><p>x", b"<?xml version='1.0'?>"])
def test_a_page_of_html_is_never_quoted(status: int, page: bytes) -> None:
    assert "<" not in str(refused(status, page))


def test_an_answer_is_quoted_short_and_on_one_line() -> None:
    said = str(refused(400, b"a\r\n\tb " + b"x" * 5_000))
    assert said.startswith("the target 'main' answered 400: a b xxx")
    assert "\n" not in said
    assert len(said) < 400
    assert said.endswith("…")


def test_what_no_database_can_store_is_never_quoted() -> None:
    assert "\x00" not in str(refused(400, b"bad\x00answer"))
    forge = said(Answer(403, {}, rb'{"message": "no\u0000thing \ud800"}'))
    assert forge == ": no\ufffdthing \ufffd"
