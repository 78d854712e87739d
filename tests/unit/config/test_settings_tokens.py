"""Tokens and forge addresses of the environment: what a header cannot hold is refused, `off` switches a forge off."""

from __future__ import annotations

import pytest

from shared.config.settings import from_env
from shared.errors import SettingsError


@pytest.mark.parametrize("name", ["OPS_TOKEN", "OPS_READ_TOKEN", "SENTRY_AUTH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN"])
@pytest.mark.parametrize("value", ["with space", "gé", "tab\tin"])
def test_a_token_that_no_header_can_hold_is_a_fault_without_its_value(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as fault:
        from_env({name: value})
    assert str(fault.value).startswith(f"{name} must be visible ASCII")
    assert value not in str(fault.value)


def test_an_address_of_off_switches_a_forge_off() -> None:
    settings = from_env({"GITHUB_API_URL": "off"})
    assert set(settings.forges) == {"gitlab"}


@pytest.mark.parametrize(
    ("environ", "is_named"),
    [({}, False), ({"GITHUB_TOKEN": "t"}, True), ({"GITHUB_API_URL": "https://github.example.com/api/v3"}, True)],
)
def test_a_forge_is_named_by_its_token_or_its_address(environ: dict[str, str], is_named: bool) -> None:
    assert from_env(environ).forges["github"].is_named is is_named


def test_the_embedded_endpoint_is_the_target_until_an_address_is_set() -> None:
    assert from_env({}).is_target_embedded
    assert not from_env({"SENTRY_URL": "https://sentry.example.com"}).is_target_embedded
