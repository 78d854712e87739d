"""The rules file and the secrets' files while a process runs: taken when whole and valid, else refused, never by halves."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from shared.config.changed_files import ChangedFiles, Config, read_config
from shared.config.settings import from_env
from shared.errors import SettingsError

RULE = '[[rules]]\nname = "{name}"\nrepo = "github:acme/*"\n'


class Watched:
    """A rules file on disk, and every reading of it that was put in force."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.path = folder / "tagship.toml"
        self.write("first")
        self.config = read_config(from_env({"TAGSHIP_CONFIG": str(self.path), "GITHUB_WEBHOOK_SECRET": "plain", **environ}))
        self.applied: list[Config] = []
        self.files = ChangedFiles(self.config, self.applied.append)

    def write(self, *names: str) -> None:
        self.path.write_text("".join(RULE.format(name=name) for name in names), encoding="utf-8")

    @property
    def names(self) -> list[list[str]]:
        return [[rule.name for rule in config.rules.rules] for config in self.applied]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    found = Watched(tmp_path)
    assert [found.files.look(), found.files.look(), found.files.look()] == [False] * 3
    return found


def test_a_changed_file_is_in_force_at_the_second_look_that_finds_it_the_same(watched: Watched) -> None:
    watched.write("second", "third")
    assert [watched.files.look(), watched.files.look(), watched.files.look()] == [False, True, False]
    assert watched.names == [["second", "third"]]
    assert watched.files.state.digest == hashlib.sha256(watched.path.read_bytes()).hexdigest() == watched.applied[0].digest


def test_a_file_that_is_still_being_written_is_left_alone(watched: Watched) -> None:
    for half in ("one", "one two", "one two three"):
        watched.write(*half.split())
        assert not watched.files.look()
    assert watched.files.look()
    assert watched.names == [["one", "two", "three"]]


def test_a_file_that_was_replaced_by_another_of_the_same_size_and_time_is_seen(watched: Watched) -> None:
    other, before = watched.path.with_suffix(".new"), watched.path.stat()
    other.write_text(RULE.format(name="other"), encoding="utf-8")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert other.stat().st_size == before.st_size
    other.replace(watched.path)
    assert [watched.files.look(), watched.files.look()] == [False, True]
    assert watched.names == [["other"]]


def test_an_invalid_file_is_refused_with_all_its_errors_and_the_former_rules_stay(watched: Watched) -> None:
    watched.path.write_text('[[rules]]\ncolour = "red"\nrepo = "acme"\n', encoding="utf-8")
    assert [watched.files.look(), watched.files.look(), watched.files.look()] == [False, True, False]
    assert watched.applied == []
    assert watched.files.state.digest == watched.config.digest
    assert watched.files.state.word == "invalid"
    assert ["colour" in error or "acme" in error for error in watched.files.state.errors] == [True, True]
    watched.write("mended")
    assert [watched.files.look(), watched.files.look()] == [False, True]
    assert (watched.names, watched.files.state.word) == ([["mended"]], "ok")


def test_a_file_that_has_gone_is_a_fault_not_the_default_rule(watched: Watched) -> None:
    watched.path.unlink()
    assert [watched.files.look(), watched.files.look()] == [False, True]
    assert (watched.applied, watched.files.state.word) == ([], "invalid")


def test_the_former_file_put_back_ends_the_refusal_and_applies_nothing(watched: Watched) -> None:
    watched.path.write_text("rules = [", encoding="utf-8")
    assert [watched.files.look(), watched.files.look()] == [False, True]
    watched.write("first")
    assert [watched.files.look(), watched.files.look()] == [False, True]
    assert (watched.applied, watched.files.state.word) == ([], "ok")


def test_what_refuses_to_apply_counts_as_invalid(tmp_path: Path) -> None:
    def refuse(_: Config) -> None:
        raise SettingsError(["ACME_TOKEN is not set: the token of the target 'acme'"])

    watched = Watched(tmp_path)
    files = ChangedFiles(watched.config, refuse)
    files.look(), files.look()
    watched.write("second")
    assert [files.look(), files.look()] == [False, True]
    assert files.state.errors == ("ACME_TOKEN is not set: the token of the target 'acme'",)
    assert files.state.digest == watched.config.digest


def test_the_secret_in_a_file_is_read_again_and_a_variable_keeps_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("old", encoding="utf-8")
    watched = Watched(tmp_path, GITLAB_WEBHOOK_SECRET_FILE=str(secret), OPS_TOKEN_FILE=str(secret))
    watched.files.look(), watched.files.look()
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "another")
    secret.write_text("new-one", encoding="utf-8")
    assert [watched.files.look(), watched.files.look()] == [False, False]  # the rules are the same
    (config,) = watched.applied
    assert dict(config.settings.webhook_secrets) == {"github": ("plain",), "gitlab": ("new-one",)}
    assert config.settings.ops_token == "new-one"
    assert config.settings.database_url == watched.config.settings.database_url


def test_an_emptied_secret_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("old", encoding="utf-8")
    watched = Watched(tmp_path, GITLAB_WEBHOOK_SECRET_FILE=str(secret))
    watched.files.look(), watched.files.look()
    secret.write_text("", encoding="utf-8")
    assert [watched.files.look(), watched.files.look()] == [False, True]
    assert (watched.applied, watched.files.state.word) == ([], "invalid")


def test_a_file_that_appears_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = read_config(from_env({}))
    assert config.digest is None
    applied: list[Config] = []
    files = ChangedFiles(config, applied.append)
    files.look(), files.look()
    (tmp_path / "tagship.toml").write_text(RULE.format(name="new"), encoding="utf-8")
    assert [files.look(), files.look()] == [False, True]
    assert [rule.name for rule in applied[0].rules.rules] == ["new"]
    assert replace(files.state, digest=None).errors == ()
