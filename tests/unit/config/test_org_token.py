"""Organization tokens: what they say is used and must not contradict the settings; no default of ours at a Sentry."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from shared.config.org_token import OrgToken, read_org_token
from shared.config.rules_file import load, parse, token_faults
from shared.config.settings import Settings, from_env
from shared.errors import SettingsError

# As a real Sentry 23.7.1 made it: url and region_url of the server, standard base64 with its padding.
REAL = (
    "sntrys_eyJpYXQiOjE3OTU4NDc5MjQuODc5ODIsInVybCI6Imh0dHA6Ly8xMjcuMC4wLjE6MjkwMDAiLCJyZWdpb25fdXJsIjoiaHR0cDovLzEyNy4wLjAuMToy"
    "OTAwMCIsIm9yZyI6ImFjbWUifQ==_u16MPq49Y/LpXq+WPXl+F6vPoOuURubA8vLrQJqVFFE"
)


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a tagship.toml of the checkout must not be found


def made(**said: Any) -> str:
    return f"sntrys_{base64.b64encode(json.dumps(said).encode()).decode()}_c2VjcmV0"


SAAS = made(iat=1, url="https://sentry.io", region_url="https://us.sentry.io", org="acme")


def faults(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(from_env(environ))
    return caught.value.faults


@pytest.mark.parametrize(
    ("token", "read"),
    [
        (REAL, OrgToken("acme", ("http://127.0.0.1:29000", "http://127.0.0.1:29000"))),
        (SAAS, OrgToken("acme", ("https://sentry.io", "https://us.sentry.io"))),
        (SAAS.replace("=", ""), OrgToken("acme", ("https://sentry.io", "https://us.sentry.io"))),
        (made(org="acme", url=None), OrgToken("acme", ())),
        (made(org="acme", url="ftp://x", region_url="http://[", more=1), OrgToken("acme", ())),
        (made(org="", url="https://sentry.io"), None),
        (made(org=7), None),
        (made(url="https://sentry.io"), None),
        ("sntrys_", None),
        ("sntrys_!!!_x", None),
        ("sntrys_" + base64.b64encode(b"[" * 900).decode() + "_x", None),
        ("sntrys_" + "e" * 3_000 + "_x", None),
        ("sntryu_0123", None),
        (None, None),
    ],
)
def test_a_token_says_its_organization_and_server(token: str | None, read: OrgToken | None) -> None:
    assert read_org_token(token) == read


def test_without_other_settings_the_token_names_server_and_organization() -> None:
    settings = from_env({"SENTRY_AUTH_TOKEN": SAAS, "SENTRY_PROJECT": "web"})
    assert (settings.sentry_url, settings.sentry_org, settings.is_target_embedded) == ("https://sentry.io", "acme", False)
    assert load(settings).targets["default"].url == "https://sentry.io"
    assert from_env({"SENTRY_AUTH_TOKEN": made(org="acme", url=None)}).is_target_embedded, "it names no server"


@pytest.mark.parametrize("url", ["https://sentry.io/", "https://us.sentry.io", "HTTPS://SENTRY.IO:443"])
def test_settings_that_say_the_same_are_fine(url: str) -> None:
    environ = {"SENTRY_AUTH_TOKEN": SAAS, "SENTRY_URL": url, "SENTRY_ORG": "acme", "SENTRY_PROJECT": "web"}
    assert load(from_env(environ)).targets["default"].org == "acme"


def test_a_contradiction_is_a_fault_at_start_and_does_not_show_the_token() -> None:
    ours = {"SENTRY_AUTH_TOKEN": SAAS, "SENTRY_PROJECT": "web"}
    assert faults({**ours, "SENTRY_ORG": "other"}) == ["SENTRY_AUTH_TOKEN is an organization token of 'acme', not of 'other'"]
    assert faults({**ours, "SENTRY_URL": "https://sentry.acme.test"}) == [
        "SENTRY_AUTH_TOKEN is an organization token of https://sentry.io, not of https://sentry.acme.test"
    ]


def test_a_target_of_the_file_with_the_token_of_another_is_a_fault() -> None:
    text = (
        '[targets.main]\nurl = "https://sentry.io"\norg = "{}"\ntoken_env = "T"\n'
        '[[rules]]\nrepo = "github:acme/*"\nprojects = ["web"]\n'
    )
    settings = Settings(environ={"T": SAAS})
    assert token_faults(parse(text.format("acme"), "f", settings), settings) == []
    (fault,) = token_faults(parse(text.format("other"), "f", settings), settings)
    assert fault == "T, the token of the target 'main', is an organization token of 'acme', not of 'other'"


def test_the_defaults_of_the_embedded_endpoint_are_not_used_at_a_sentry() -> None:
    assert faults({"SENTRY_URL": "https://sentry.io"}) == [
        "SENTRY_ORG is not set, and SENTRY_URL is set: name the organization",
        "SENTRY_PROJECT is not set, and SENTRY_URL is set: name a project",
    ]
    assert faults({"SENTRY_AUTH_TOKEN": SAAS}) == [
        "SENTRY_PROJECT is not set, and the organization token names its server: name a project"
    ]
    assert load(from_env({})).targets["default"].org == "local"
    named = {"SENTRY_URL": "https://sentry.io", "SENTRY_ORG": "local", "SENTRY_PROJECT": "app"}
    assert load(from_env(named)).rules[0].projects == ("app",)


def test_a_file_needs_of_the_defaults_only_what_it_leaves_out(tmp_path: Path) -> None:
    environ = {"SENTRY_URL": "https://sentry.io", "TAGSHIP_CONFIG": str(tmp_path / "tagship.toml")}
    target = '[targets.main]\nurl = "https://sentry.io"\norg = "acme"\ntoken_env = "T"\n'
    rule = '[[rules]]\nrepo = "github:acme/*"\n'
    (tmp_path / "tagship.toml").write_text(target + rule + 'projects = ["web"]\n')
    assert load(from_env(environ)).targets["main"].org == "acme"
    (tmp_path / "tagship.toml").write_text(rule)
    assert faults(environ) == [
        "tagship.toml: rules[0].projects is missing, and so is SENTRY_PROJECT: name the projects of the release",
        "tagship.toml: SENTRY_ORG is not set, and SENTRY_URL is set: name the organization",
    ]
    (tmp_path / "tagship.toml").write_text("")
    assert len(faults(environ)) == 2


def test_an_address_that_ends_in_the_apis_path_is_a_fault() -> None:
    wanted = "SENTRY_URL must end before /api/0: https://sentry.io"
    for url in ("https://sentry.io/api/0", "https://sentry.io/api/0/"):
        with pytest.raises(SettingsError) as caught:
            from_env({"SENTRY_URL": url})
        assert caught.value.faults == [wanted]
    text = '[targets.main]\nurl = "https://sentry.io/api/0/"\norg = "acme"\ntoken_env = "T"\n'
    with pytest.raises(SettingsError, match=r"targets.main.url must end before /api/0: https://sentry.io"):
        parse(text, "tagship.toml", Settings())
