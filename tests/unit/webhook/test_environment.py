"""What `make run` adds to the environment: the .env file, secrets made once and kept, ports."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from shared.config.env_files import is_set, read_env_file
from shared.errors import SettingsError
from shared.infra.network import why_not_bound
from webhook.local import environment
from webhook.local.environment import free_port, with_secrets

MADE = {"GITHUB_WEBHOOK_SECRET", "GITLAB_WEBHOOK_SECRET", "OPS_TOKEN", "SENTRY_AUTH_TOKEN"}


def env_file(folder: Path, text: str | bytes) -> dict[str, str]:
    path = folder / ".env"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_env_file(path)


def test_names_values_comments_quotes_and_export_are_read(tmp_path: Path) -> None:
    text = "# a comment\n\nA=1\n export B = two words \nC='a # b'\nD=\"q\"\nE=a=b\nF=\nG='open\nH=größe\r\n"
    assert env_file(tmp_path, text) == {
        "A": "1",
        "B": "two words",
        "C": "a # b",
        "D": "q",
        "E": "a=b",
        "F": "",
        "G": "'open",
        "H": "größe",
    }


def test_without_a_file_nothing_is_added(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / ".env") == {}
    assert read_env_file(tmp_path) == {}


def test_every_faulty_line_is_named_by_its_number_without_its_text(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        env_file(tmp_path, "A=1\nhush\n1A=hush\nB C=hush\n=hush\n")
    assert caught.value.faults == [f".env line {number} is not NAME=VALUE" for number in (2, 3, 4, 5)]


def test_a_file_that_is_not_utf8_is_one_fault(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^\.env cannot be read: UnicodeDecodeError$"):
        env_file(tmp_path, b"A=\xff")


def test_missing_secrets_are_made_and_kept_for_the_next_run(tmp_path: Path) -> None:
    first = with_secrets({"HOST": "x"}, tmp_path / "var")
    assert set(first) == {"HOST", *MADE}
    assert all(len(first[name]) >= 32 for name in MADE)
    assert len({first[name] for name in MADE}) == len(MADE)
    assert with_secrets({"HOST": "x"}, tmp_path / "var") == first


def test_the_file_of_secrets_is_for_its_owner_only(tmp_path: Path) -> None:
    with_secrets({}, tmp_path / "var")
    assert stat.S_IMODE((tmp_path / "var" / "secrets.env").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700


def test_a_secret_that_is_set_is_neither_replaced_nor_stored(tmp_path: Path) -> None:
    environ = with_secrets({"OPS_TOKEN": "mine", "GITHUB_WEBHOOK_SECRET_FILE": "/f", "GITLAB_WEBHOOK_SECRET": ""}, tmp_path)
    assert environ["OPS_TOKEN"] == "mine"
    assert "GITHUB_WEBHOOK_SECRET" not in environ
    assert environ["GITLAB_WEBHOOK_SECRET"] == ""  # a fault that the settings will name
    assert set(read_env_file(tmp_path / "secrets.env")) == {"SENTRY_AUTH_TOKEN"}


def test_a_secret_that_is_unset_again_is_the_one_kept_before(tmp_path: Path) -> None:
    kept = with_secrets({}, tmp_path)["OPS_TOKEN"]
    assert with_secrets({"OPS_TOKEN": "mine"}, tmp_path)["OPS_TOKEN"] == "mine"
    assert with_secrets({}, tmp_path)["OPS_TOKEN"] == kept


def test_a_real_sentry_gets_no_made_up_token(tmp_path: Path) -> None:
    assert "SENTRY_AUTH_TOKEN" not in with_secrets({"SENTRY_URL": "https://sentry.acme.test"}, tmp_path)


@pytest.mark.parametrize(
    ("environ", "found"), [({}, False), ({"A": ""}, True), ({"A": "1"}, True), ({"A_FILE": "/f"}, True), ({"AB": "1"}, False)]
)
def test_a_name_counts_as_set_when_empty_or_by_file(environ: dict[str, str], found: bool) -> None:
    assert is_set(environ, "A") is found


def test_an_address_of_another_machine_is_told_apart_from_a_port_in_use() -> None:
    assert "cannot be listened on" in str(why_not_bound("192.0.2.1", 8000))


def test_a_port_that_someone_listens_on_is_taken() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert "is in use" in str(why_not_bound("127.0.0.1", listening.getsockname()[1]))


def test_no_two_ports_of_a_process_are_the_same_and_no_outgoing_connection_takes_them() -> None:
    given = [free_port() for _ in range(200)]
    assert len(set(given)) == 200
    assert all(1024 < port < 32_768 for port in given)


def test_a_port_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    free = free_port()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setattr(environment, "_ports", iter([listening.getsockname()[1], free]))
        assert free_port() == free
