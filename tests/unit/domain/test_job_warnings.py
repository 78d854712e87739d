"""Warnings as a job's row holds them."""

from __future__ import annotations

from shared.domain.job_warnings import JobWarning, WarningCode, as_json, from_json

REF, DEPLOY = WarningCode.REF_DIFFERS, WarningCode.DEPLOY_REFUSED


def test_no_warning_is_null() -> None:
    assert as_json(()) is None
    assert from_json(None) == ()


def test_the_first_of_each_code_is_kept_bounded_and_storable() -> None:
    stored = as_json([JobWarning(REF, "a\x00\udc80"), JobWarning(DEPLOY, "x" * 400), JobWarning(REF, "another")])
    assert stored == [{"code": "ref_differs", "detail": "a\ufffd\ufffd"}, {"code": "deploy_refused", "detail": "x" * 300}]
    assert from_json(stored) == (JobWarning(REF, "a\ufffd\ufffd"), JobWarning(DEPLOY, "x" * 300))


def test_a_code_of_a_newer_version_is_left_out_when_read() -> None:
    assert from_json([{"code": "unheard_of", "detail": "d"}, {"code": "ref_differs", "detail": "d"}]) == (JobWarning(REF, "d"),)
