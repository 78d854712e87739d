"""The environment as settings: defaults, every fault at once, secrets from files and never in a repr."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from shared.config.settings import Settings, from_env
from shared.domain.provider_settings import APIS, ApiSettings
from shared.errors import SettingsError

SIGNING = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a tagship.toml of the checkout must not be found


def read(**environ: str) -> Settings:
    return from_env(environ)


def faults(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        from_env(environ)
    return caught.value.faults


def test_an_empty_environment_gives_the_defaults_of_the_contract() -> None:
    settings = read()
    assert (settings.host, settings.port, settings.releases_port, settings.data_dir) == ("127.0.0.1", 8000, 8001, Path("var"))
    assert settings.database_url == "sqlite:///var/tagship.sqlite3"
    assert settings.releases_database_url == "sqlite:///var/releases.sqlite3"
    assert (settings.broker_url, settings.webhook_secrets, settings.config_path) == (None, {}, None)
    assert (settings.sentry_url, settings.sentry_org, settings.sentry_projects) == ("http://127.0.0.1:8001", "local", ("app",))
    assert (settings.sentry_auth_token, settings.ops_token, settings.ops_read_token) == (None, None, None)
    assert (settings.log_format, settings.log_level) == ("json", "INFO")
    assert settings.web_concurrency >= 1
    assert settings.worker_concurrency >= 1


def test_a_terminal_gets_console_logs_unless_told_otherwise() -> None:
    assert from_env({}, is_terminal=True).log_format == "console"
    assert from_env({"LOG_FORMAT": "JSON"}, is_terminal=True).log_format == "json"


def test_values_are_read_and_trimmed() -> None:
    settings = read(
        HOST=" 0.0.0.0 ", PORT="9000", RELEASES_PORT="9001", SENTRY_PROJECT="web, api", LOG_LEVEL="debug", DATA_DIR="/d"
    )
    assert (settings.host, settings.port, settings.log_level) == ("0.0.0.0", 9000, "DEBUG")
    assert settings.sentry_projects == ("web", "api")
    assert settings.sentry_url == "http://127.0.0.1:9001"
    assert settings.database_url == "sqlite:////d/tagship.sqlite3"


def test_all_faults_are_named_together_each_with_its_variable() -> None:
    found = faults(
        PORT="http",
        OPS_TOKEN="",
        SENTRY_URL="ftp://x",
        GITHUB_WEBHOOK_SECRET="a,,b",
        LOG_LEVEL="loud",
        DATABASE_URL="mysql://x/y",
        BROKER_URL="http://x",
        TAGSHIP_CONFIG="/no/such/file.toml",
        WEB_CONCURRENCY="0",
    )
    names = {fault.split(" ", 1)[0] for fault in found}
    assert names == {
        *("PORT", "OPS_TOKEN", "SENTRY_URL", "GITHUB_WEBHOOK_SECRET", "LOG_LEVEL", "DATABASE_URL"),
        *("BROKER_URL", "TAGSHIP_CONFIG", "WEB_CONCURRENCY"),
    }
    assert len(found) == len(names)


@pytest.mark.parametrize(
    "name",
    [
        *("HOST", "PORT", "OPS_TOKEN", "OPS_READ_TOKEN", "GITHUB_WEBHOOK_SECRET", "GITLAB_WEBHOOK_SECRET", "SENTRY_AUTH_TOKEN"),
        *(
            "SENTRY_ORG",
            "SENTRY_PROJECT",
            "SENTRY_URL",
            "DATABASE_URL",
            "REDIS_URL",
            "BROKER_URL",
            "GITHUB_TOKEN",
            "GITLAB_URL",
        ),
        "DATA_DIR",
    ],
)
@pytest.mark.parametrize("value", ["", "   "])
def test_a_variable_that_is_set_but_empty_is_a_fault(name: str, value: str) -> None:
    assert faults(**{name: value}) == [f"{name} is set but empty: give it a value or remove it"]


@pytest.mark.parametrize("value", ["0", "65536", "-1", "8e3", "8000.0", "٨٠٠٠", "99999999999999999999", "0x50", "eighty"])
def test_a_port_that_is_none_is_a_fault(value: str) -> None:
    assert faults(PORT=value) == [f"PORT must be a whole number from 1 to 65535, not {value!r}"]


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_one_secret_or_several_switch_a_provider_on() -> None:
    settings = read(GITHUB_WEBHOOK_SECRET="new, old", GITLAB_WEBHOOK_SECRET=SIGNING)
    assert settings.webhook_secrets == {"github": ("new", "old"), "gitlab": (SIGNING,)}


def test_a_provider_without_a_secret_is_off() -> None:
    assert read(GITHUB_WEBHOOK_SECRET="one").webhook_secrets == {"github": ("one",)}


def test_a_provider_whose_api_is_off_by_default_is_asked_where_an_address_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(APIS, "gitea", ApiSettings("GITEA_URL", "off", "GITEA_TOKEN"))
    assert "gitea" not in read().forges
    assert read(GITEA_URL="https://gitea.acme.test").forges["gitea"].url == "https://gitea.acme.test"


@pytest.mark.parametrize("value", [",", "a,", ",a", "a,,b", "a, ,b"])
def test_an_empty_entry_among_secrets_is_a_fault(value: str) -> None:
    assert faults(GITHUB_WEBHOOK_SECRET=value) == ["GITHUB_WEBHOOK_SECRET holds an empty entry between commas"]


def test_a_github_secret_may_begin_as_it_likes() -> None:
    assert read(GITHUB_WEBHOOK_SECRET="whsec_!").webhook_secrets == {"github": ("whsec_!",)}


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one,two\n")
    (tmp_path / "token").write_text("ops-token\n")
    settings = read(GITHUB_WEBHOOK_SECRET_FILE=str(tmp_path / "secret"), OPS_TOKEN_FILE=str(tmp_path / "token"))
    assert settings.webhook_secrets == {"github": ("one", "two")}
    assert settings.ops_token == "ops-token"


def test_a_secret_both_set_and_from_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x")
    assert faults(OPS_TOKEN="y", OPS_TOKEN_FILE=str(tmp_path / "token")) == [
        "OPS_TOKEN and OPS_TOKEN_FILE are both set: keep one"
    ]


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), (b"", "empty file"), (b" \n", "empty file"), (b"\xff", "cannot be read")]
)
def test_a_file_that_holds_no_secret_is_a_fault(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    (fault,) = faults(OPS_TOKEN_FILE=str(path))
    assert fault.startswith("OPS_TOKEN_FILE names ")
    assert said in fault


def test_a_file_name_that_no_system_takes_is_a_fault() -> None:
    assert "cannot be read" in faults(OPS_TOKEN_FILE="a\x00b")[0]


def test_neither_repr_nor_faults_ever_show_a_secret() -> None:
    secrets = {
        "GITHUB_WEBHOOK_SECRET": "hush-1",
        "GITLAB_WEBHOOK_SECRET": "hush-2",
        "GITHUB_TOKEN": "hush-3",
        "GITLAB_TOKEN": "hush-4",
        "SENTRY_AUTH_TOKEN": "hush-5",
        "OPS_TOKEN": "hush-6",
        "OPS_READ_TOKEN": "hush-7",
        "DATABASE_URL": "postgresql://me:hush-8@db/x",
        "RELEASES_DATABASE_URL": "postgresql://me:hush-8@db/y",
        "BROKER_URL": "redis://:hush-9@redis/0",
        "ACME_TOKEN": "hush-10",
    }
    assert "hush" not in repr(read(**secrets))
    wrong = {"GITHUB_API_URL": "https://me:hush@x", "SENTRY_URL": "https://hush@x", "REDIS_URL": "http://:hush@x", "PORT": "x"}
    assert "hush" not in str(faults(**wrong, GITLAB_WEBHOOK_SECRET="whsec_hush!", DATABASE_URL="mysql://me:hush@db/x"))


def test_a_token_that_the_config_names_is_found_by_its_variable_or_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file\n")
    settings = read(ACME_TOKEN="direct", EU_TOKEN_FILE=str(tmp_path / "token"), EMPTY_TOKEN=" ")
    assert [settings.secret(name) for name in ("ACME_TOKEN", "EU_TOKEN", "EMPTY_TOKEN", "NO_TOKEN")] == [
        "direct",
        "from a file",
        None,
        None,
    ]


# --- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgres://me:pw@db:5432/x", "postgresql+psycopg://me:pw@db:5432/x"),
        ("postgresql://me:pw@db/x?sslmode=require", "postgresql+psycopg://me:pw@db/x?sslmode=require"),
        ("sqlite:///relative.db", "sqlite:///relative.db"),
        ("sqlite:////absolute.db", "sqlite:////absolute.db"),
    ],
)
def test_a_database_url_is_taken_in_every_usual_spelling(url: str, driver: str) -> None:
    assert read(DATABASE_URL=url).database_url == driver


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite://", "sqlite:///:memory:", "postgres://h:port/x", "://"])
def test_a_database_url_that_is_of_no_use_is_a_fault(url: str) -> None:
    (fault,) = faults(DATABASE_URL=url)
    assert fault.startswith(("DATABASE_URL is not", "DATABASE_URL must"))


def test_the_broker_is_broker_url_else_redis_url() -> None:
    assert read(REDIS_URL="redis://a").broker_url == "redis://a"
    assert read(BROKER_URL="amqp://b", REDIS_URL="redis://a").broker_url == "amqp://b"
    assert faults(REDIS_URL="memcached://a")[0].startswith("REDIS_URL must begin with")


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://x", "https://", "x.test", "https://x?a=1", "https://x#a", "https://x:port", "https://[::1", "//x"),
        *("https://x .test", "https://x\n.test", "https://x\\.test", "https://x/\ta", "https://x\x7f"),
    ],
)
def test_an_address_that_is_not_http_is_a_fault(url: str) -> None:
    assert faults(SENTRY_URL=url) == ["SENTRY_URL must be an http:// or https:// URL without query or fragment"]


def test_an_address_with_a_password_is_a_fault() -> None:
    assert "must not hold a user name or password" in faults(SENTRY_URL="https://me:pw@x")[0]


def test_a_slash_at_the_end_of_an_address_is_dropped() -> None:
    assert read(SENTRY_URL="https://sentry.acme.test/sub/").sentry_url == "https://sentry.acme.test/sub"


# --- the rules' file -------------------------------------------------------------------------------------------------


def test_the_rules_file_is_found_when_present(tmp_path: Path) -> None:
    (tmp_path / "tagship.toml").write_text("")
    assert read().config_path == Path("tagship.toml")
    assert read(TAGSHIP_CONFIG=str(tmp_path / "tagship.toml")).config_path == tmp_path / "tagship.toml"


def test_a_named_rules_file_that_is_missing_is_a_fault() -> None:
    assert faults(TAGSHIP_CONFIG="other.toml") == ["TAGSHIP_CONFIG names no file: other.toml"]
