"""Operators' tokens that must not be used: one sentence each, and the program does not start."""

from __future__ import annotations

import pytest

from shared.config.ops_tokens import token_faults
from shared.config.settings import from_env
from shared.errors import SettingsError
from webhook.intake.keyring import check_config

GOOD, OTHER = "4a7e0c5dfa1b92e8", "b91f77c2aa03de56"


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ((GOOD, OTHER), []),
        ((GOOD, None), []),
        ((None, GOOD), []),
        ((None, None), []),
        ((GOOD[:15], OTHER), ["OPS_TOKEN has 15 characters, at least 16 are needed"]),
        ((GOOD, "x"), ["OPS_READ_TOKEN has 1 characters"]),
        (("a" * 40, OTHER), ["OPS_TOKEN repeats one character"]),
        (("ChangeMeChangeMe", OTHER), ["OPS_TOKEN is an example"]),
        ((GOOD, GOOD), ["OPS_READ_TOKEN is the same as OPS_TOKEN"]),
        (("hook-secret-of-16", OTHER), ["OPS_TOKEN is the same as GITHUB_WEBHOOK_SECRET"]),
        (("x", "hook-secret-of-16"), ["OPS_TOKEN has 1", "OPS_READ_TOKEN is the same as GITHUB_WEBHOOK_SECRET"]),
    ],
)
def test_each_unfit_token_is_one_sentence(tokens: tuple[str | None, str | None], said: list[str]) -> None:
    named = dict(zip(("OPS_TOKEN", "OPS_READ_TOKEN"), tokens, strict=True))
    faults = token_faults(named, {"GITHUB_WEBHOOK_SECRET": frozenset({"hook-secret-of-16"})})
    assert len(faults) == len(said)
    for fault, part in zip(faults, said, strict=True):
        assert fault.startswith(part)
        assert "openssl rand -hex 24" in fault
        assert not any(token in fault for token in tokens if token and len(token) > 1), "no secret in a message"


def test_the_check_of_the_configuration_names_them_with_every_webhook_secret() -> None:
    environ = {"SENTRY_AUTH_TOKEN": "t", "GITLAB_WEBHOOK_SECRET": f"old,{GOOD}", "OPS_TOKEN": GOOD, "OPS_READ_TOKEN": "short"}
    with pytest.raises(SettingsError) as caught:
        check_config(from_env(environ))
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "OPS_TOKEN is the same as GITLAB_WEBHOOK_SECRET (2 of 2), whose holders would get its rights",
        "OPS_READ_TOKEN has 5 characters, at least 16 are needed",
    ]
