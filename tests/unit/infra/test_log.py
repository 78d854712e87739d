"""Log lines: one line an event, whatever text it carries; no secret, no raw control character."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.infra import logs

FORGED = 'x\n{"event": "job.succeeded"}\r\x1b[31m\x00\x7f\x85\x9b2J\u2028y\u2029\t\u202e\u200b'


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().err.split("\n") if line]


def is_clean(line: str) -> bool:
    return not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or char in "\u2028\u2029\u202e\u200b" for char in line)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_line_cannot_be_forged_by_what_it_carries(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(log_format, "INFO")
    logs.get("t").info("delivery.stored", ref=FORGED, listed=[FORGED, {FORGED: FORGED}], pair=(FORGED,))
    (line,) = lines(capsys)
    assert "delivery.stored" in line
    assert is_clean(line)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_line_of_a_library_cannot_be_forged_either(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(log_format, "INFO")
    logging.getLogger("library").warning("could not read %s", FORGED)
    (line,) = lines(capsys)
    assert is_clean(line)


def test_a_value_that_is_no_unicode_is_written_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("json", "INFO")
    logs.get("t").info("rules.loaded", path="/etc/\udcff.toml", kind=ValueError, at={1, 2})
    (line,) = lines(capsys)
    assert json.loads(line)["path"] == "/etc/\\udcff.toml"


def test_bound_context_is_flattened_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("json", "INFO")
    with structlog.contextvars.bound_contextvars(delivery=FORGED):
        logs.get("t").info("job.claimed")
    (line,) = lines(capsys)
    assert is_clean(line)
    assert json.loads(line)["delivery"].startswith("x\\n")


def test_a_json_line_holds_event_level_time_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("json", "INFO")
    logs.get("t").warning("job.retrying", job="1", tried=2, ref="größe", jobs=["a"], nothing=None)
    (line,) = lines(capsys)
    found = json.loads(line)
    assert found.pop("ts").endswith("Z")
    wanted = {
        "event": "job.retrying",
        "level": "warning",
        "job": "1",
        "tried": 2,
        "ref": "größe",
        "jobs": ["a"],
        "nothing": None,
    }
    assert found == wanted


def test_a_very_long_value_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("json", "INFO")
    logs.get("t").info("x", value="v" * 100_000)
    assert len(lines(capsys)[0]) < 3_000


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("json", "warning")
    logs.get("t").info("quiet")
    logs.get("t").error("loud")
    assert [json.loads(line)["event"] for line in lines(capsys)] == ["loud"]


def test_the_http_clients_own_lines_stay_away_unless_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("json", "INFO")
    logging.getLogger("httpx2").info("HTTP Request: POST https://sentry.acme.test")
    assert lines(capsys) == []


def fail_with(token: str) -> None:
    raise ValueError(f"no number of {len(token)} characters")


def test_a_trace_in_json_is_one_line_with_an_exception(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("json", "INFO")
    try:
        fail_with("hush")
    except ValueError:
        logs.get("t").exception("job.unexpected")
    (line,) = lines(capsys)
    assert "ValueError: no number of 4 characters" in json.loads(line)["exception"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_trace_never_shows_the_values_of_local_variables(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup(log_format, "INFO")
    try:
        fail_with("hush-" + "token")
    except ValueError:
        logs.get("t").exception("job.unexpected")
    assert "hush-token" not in capsys.readouterr().err


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_the_text_of_an_exception_forges_no_line_and_steers_no_terminal(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.setup(log_format, "INFO")
    try:
        raise ValueError(FORGED)
    except ValueError:
        logs.get("t").exception("job.unexpected")
        logging.getLogger("library").exception("failed")
    first, *rest = lines(capsys)
    assert "job.unexpected" in first
    assert all(is_clean(line) for line in [first, *rest])
    own = [line for line in rest if not line.startswith("    | ")]
    assert len(own) == 1, "but for the second event no line stands at the margin"
    assert "failed" in own[0]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_secret_that_was_named_stands_in_no_line(
    log_format: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_hidden", [])
    logs.setup(log_format, "INFO")
    logs.hide(["hush-token", "hush-token-longer", 'with "quotes"', "tiny"])
    try:
        raise ValueError("refused Bearer hush-token-longer")
    except ValueError:
        logs.get("t").exception("x", listed=["hush-token", 'with "quotes"'], word="tiny")
        logging.getLogger("library").error("no route to amqp://user:%s@host", "hush-token")
    written = capsys.readouterr().err
    assert "hush" not in written
    assert "quotes" not in written
    assert "longer" not in written
    assert "tiny" in written, "what is so short is no secret, and would blot out words"
    assert written.count("***") >= 4
