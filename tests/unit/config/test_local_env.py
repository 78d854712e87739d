"""What the commands read from the files of a machine that runs `make run`."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.config.env_files import completed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secrets.env").write_text("SENTRY_AUTH_TOKEN=made\nOPS_TOKEN=ops\n", encoding="utf-8")
    return tmp_path


def test_the_secrets_that_make_run_made_are_found_by_the_commands(folder: Path) -> None:
    found = completed({"DATA_DIR": str(folder)})
    assert (found["SENTRY_AUTH_TOKEN"], found["OPS_TOKEN"]) == ("made", "ops")


def test_what_is_set_stays(folder: Path) -> None:
    assert completed({"DATA_DIR": str(folder), "OPS_TOKEN": "mine"})["OPS_TOKEN"] == "mine"
    assert "OPS_TOKEN" not in completed({"DATA_DIR": str(folder), "OPS_TOKEN_FILE": "/run/token"})


def test_the_embedded_endpoints_token_never_goes_to_another_host(folder: Path) -> None:
    assert "SENTRY_AUTH_TOKEN" not in completed({"DATA_DIR": str(folder), "SENTRY_URL": "https://sentry.example.com"})
