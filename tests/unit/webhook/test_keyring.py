"""Which secret speaks for which repository; faults of sources, named by their field."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.config.rules_file import load
from shared.config.settings import from_env
from shared.domain.rules import Source
from shared.errors import SettingsError
from tests.builders import SIGNING_TOKEN, settings
from webhook.intake.keyring import Keyring, check_config, make_keyrings

SHOP = '[[sources]]\nprovider = "github"\nsecret_env = "SHOP_SECRET"\nrepositories = ["acme/shop", "acme/shop-*"]\n'
ALL = SHOP.replace("SHOP_SECRET", "ACME_SECRET").replace('"acme/shop", "acme/shop-*"', '"acme/*"')


def source(env: str, *repositories: str) -> Source:
    return Source(name=env, provider="github", secret_env=env, repositories=repositories)


def ring(*bound: tuple[Source, tuple[str, ...]], plain: tuple[str, ...] = ("plain",)) -> Keyring:
    return Keyring("GITHUB_WEBHOOK_SECRET", plain, bound)


def read(folder: Path, text: str) -> tuple[Source, ...]:
    path = folder / "tagship.toml"
    path.write_text(text, encoding="utf-8")
    return load(settings(config_path=path)).sources


def keyrings(folder: Path, text: str, **environ: str) -> dict[str, Keyring]:
    sources = read(folder, text)
    return dict(make_keyrings(settings(config_path=folder / "tagship.toml", environ=environ), sources))


def faults(folder: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        keyrings(folder, text, **environ)
    return [fault.removeprefix("tagship.toml: ") for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("secret", "repository", "speaks"),
    [
        ("shop", "acme/shop", True),
        ("shop", "acme/shop-web", True),
        ("shop", "ACME/Shop", True),
        ("shop", "acme/tills", False),
        ("shop", "evil/acme/shop", False),
        ("acme", "acme/tills", True),
        ("acme", "acme/shop", True),  # both sources claim it, so both secrets speak for it
        ("acme", "other/shop", False),
        ("plain", "other/shop", True),
        ("plain", "acme/shop", False),
        ("plain", "Acme/SHOP", False),
        ("shop", None, True),
        ("plain", None, True),
    ],
)
def test_a_secret_speaks_for_what_its_source_claims_and_the_plain_one_for_the_rest(
    secret: str, repository: str | None, speaks: bool
) -> None:
    made = ring((source("A", "acme/shop", "acme/shop-*"), ("shop", "shop-old")), (source("B", "Acme/*"), ("acme",)))
    assert made.speaks_for((secret,), repository) is speaks


def test_a_secret_that_stands_twice_speaks_for_both_and_is_tried_once() -> None:
    made = ring((source("A", "acme/a"), ("same",)), (source("B", "acme/b"), ("same", "new")), plain=("same",))
    assert made.secrets == ("same", "new")
    assert made.speaks_for(("same",), "acme/a")
    assert made.speaks_for(("same",), "acme/b")
    assert not made.speaks_for(("new",), "acme/a")


def test_without_sources_any_secret_speaks_for_everything() -> None:
    made = ring(plain=("old", "new"))
    assert made.speaks_for(("old",), "any/thing")
    assert [made.label(secret) for secret in made.secrets] == [
        "GITHUB_WEBHOOK_SECRET (1 of 2)",
        "GITHUB_WEBHOOK_SECRET (2 of 2)",
    ]


def test_a_provider_may_have_sources_alone(tmp_path: Path) -> None:
    made = keyrings(tmp_path, SHOP + ALL, SHOP_SECRET="one, two", ACME_SECRET="three")
    assert list(made) == ["github"]
    assert made["github"].secrets == ("one", "two", "three")
    assert not made["github"].speaks_for(("one",), "other/thing"), "claimed by nobody, and there is no plain secret"


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-file\n")
    assert keyrings(tmp_path, SHOP, SHOP_SECRET_FILE=str(tmp_path / "secret"))["github"].secrets == ("from-file",)


def test_the_secrets_of_sources_are_checked_all_at_once_and_never_shown(tmp_path: Path) -> None:
    text = SHOP + ALL + SHOP.replace("github", "gitlab").replace("SHOP_SECRET", "LAB_SECRET")
    found = faults(tmp_path, text, ACME_SECRET="a,,b", LAB_SECRET="whsec_!hush")
    assert found == [
        "sources[0].secret_env: SHOP_SECRET is not set",
        "sources[1].secret_env: ACME_SECRET holds an empty entry between commas",
        "sources[2].secret_env: LAB_SECRET begins with whsec_, but what follows is not base64",
    ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            ("SHOP_SECRET", "hush hush"),
            "sources[0].secret_env must be the name of an environment variable in capitals, not the s",
        ),
        (("SHOP_SECRET", "GITHUB_WEBHOOK_SECRET"), "sources[0].secret_env must be another variable: GITHUB_WEBHOOK_SECRET"),
        (('"github"', '"gitea"'), "sources[0].provider must be 'github' or 'gitlab'"),
        (('"acme/shop"', '"github:acme/shop"'), "sources[0].repositories 'github:acme/shop' must be a full name"),
        (('"acme/shop"', '"acme"'), "sources[0].repositories 'acme' must be a full name"),
        (('["acme/shop", "acme/shop-*"]', "[]"), "sources[0].repositories value should have at least 1 item"),
        (("repositories", "repository"), "sources[0].repositories field required"),
        (("secret_env", "secret"), "sources[0].secret is not a known key: did you mean 'secret_env'?"),
    ],
)
def test_a_fault_of_a_source_names_its_field(tmp_path: Path, change: tuple[str, str], fault: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, SHOP.replace(*change))
    assert any(found.removeprefix("tagship.toml: ").startswith(fault) for found in caught.value.faults), caught.value.faults
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("value", ["whsec_", "whsec_not base64", f"{SIGNING_TOKEN},whsec_ä", "plain,whsec_#"])
def test_a_signing_token_that_is_no_base64_is_an_error_that_does_not_show_it(value: str) -> None:
    read_settings = from_env({"GITLAB_WEBHOOK_SECRET": value, "SENTRY_AUTH_TOKEN": "token"})
    for check in (lambda: make_keyrings(read_settings, ()), lambda: check_config(read_settings)):
        with pytest.raises(SettingsError) as caught:
            check()
        assert caught.value.faults == ["GITLAB_WEBHOOK_SECRET begins with whsec_, but what follows is not base64"]


def test_a_check_names_missing_tokens_and_bad_secrets_together() -> None:
    with pytest.raises(SettingsError) as caught:
        check_config(from_env({"GITLAB_WEBHOOK_SECRET": "whsec_!"}))
    assert [fault.split(" ", 1)[0] for fault in caught.value.faults] == ["SENTRY_AUTH_TOKEN", "GITLAB_WEBHOOK_SECRET"]
