"""Settings that nobody would read, and addresses of brokers that nobody could use: one sentence each."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.config.broker_urls import broker_fault
from shared.config.near_names import near_names


@pytest.mark.parametrize(
    ("environ", "meant"),
    [
        ({"SENTRY_ORGANIZATION": "a"}, ["SENTRY_ORG"]),
        ({"SENTRY_PROJECTS": "a", "SENTRY_TOKEN": "b"}, ["SENTRY_PROJECT", "SENTRY_AUTH_TOKEN"]),
        ({"DATABSAE_URL": "a"}, ["DATABASE_URL"]),
        ({"GITHUB_WEBHOOK_SECRETS": "a"}, ["GITHUB_WEBHOOK_SECRET"]),
        ({"WORKER_CONCURENCY": "a"}, ["WORKER_CONCURRENCY"]),
        ({"CELERY_BROKER_URL": "a"}, ["BROKER_URL"]),
        ({"CELERY_BROKER_URL": "a", "BROKER_URL": "b"}, []),  # then it is another program's
        ({"SENTRY_TOKEN": "a", "SENTRY_AUTH_TOKEN_FILE": "b"}, []),
        ({"SENTRY_DSN": "a", "SENTRY_RELEASE": "b", "SENTRY_ENVIRONMENT": "c", "SENTRY_LOG_LEVEL": "d"}, []),
        ({"HOSTS": "a", "PORTS": "b", "PATH": "c", "LANG": "d", "HOSTNAME": "e", "sentry_organization": "f"}, []),
        ({"GITHUB_TOKEN_FILE": "a", "OPS_TOKEN": "b"}, []),
    ],
)
def test_a_variable_that_looks_like_one_of_ours_is_named_with_it(environ: dict[str, str], meant: list[str]) -> None:
    assert [sentence.rpartition(" ")[2] for sentence in near_names(environ, None)] == [f"{name}?" for name in meant]


def test_a_name_that_the_configuration_file_uses_is_a_setting(tmp_path: Path) -> None:
    config = tmp_path / "tagship.toml"
    config.write_text('[targets.main]\ntoken_env = "SENTRY_TOKEN"\n')
    assert not list(near_names({"SENTRY_TOKEN": "a", "SENTRY_TOKEN_FILE": "b"}, config))


@pytest.mark.parametrize(
    "url",
    [
        "redis://redis.example.com:6379/0",
        "rediss://:p%40ss@[::1]:6380",
        "redis+socket:///run/redis/redis.sock?virtual_host=3",
        "sentinel://one:26379;sentinel://two:26379/0?master_name=mymaster",
        "amqp://guest:guest@127.0.0.1:5672//",
        "amqps://user:pass@mq.example.com/tagship",
    ],
)
def test_brokers_that_can_be_used(url: str) -> None:
    assert broker_fault(url) is None


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://x", "must begin with redis://"),
        ("redis://", "names no host"),
        ("redis://host:port/0", "is not a URL"),
        ("redis://host:99999/0", "is not a URL"),
        ("redis://[::1/0", "is not a URL"),
        ("redis://user:pa/ss@host:6379/0", "is not a URL"),
        ("redis://host/abc", "must end with the number of a database"),
        ("redis+socket://", "must name a socket"),
        ("sentinel://one:26379/0", "must say which master"),
        ("sentinel://one:26379;sentinel://two:x/0?master_name=m", "is not a URL"),
        ("amqp:///vhost", "names no host"),
    ],
)
def test_brokers_that_cannot(url: str, fault: str) -> None:
    said = broker_fault(url)
    assert said is not None
    assert said.startswith(fault)
    assert "pa" not in url or "ss@" not in said
