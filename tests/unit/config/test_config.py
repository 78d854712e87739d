"""`tagship.toml`: what it becomes, and every fault of it named at once by its key path."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from shared.config.rules_file import load, token_faults
from shared.domain.rules import NamingRules, ReconcileRules, Rules, matches
from shared.errors import SettingsError
from tests.builders import settings

TARGET = '[targets.main]\nurl = "https://sentry.acme.test"\norg = "acme"\ntoken_env = "ACME_TOKEN"\n'
EU = TARGET.replace("main", "eu")
RULE = '[[rules]]\nrepo = "github:acme/shop"\nprojects = ["shop"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, text: str | bytes) -> Rules:
    path = folder / "tagship.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(settings(config_path=path, sentry_projects=("app",)))


def faults(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(folder, text)
    assert all(fault.startswith("tagship.toml") for fault in caught.value.faults)
    return [fault.removeprefix("tagship.toml: ") for fault in caught.value.faults]


# --- what it becomes -------------------------------------------------------------------------------------------------


def test_without_a_file_there_is_the_default_rule_and_target() -> None:
    rules = load(settings(sentry_org="acme", sentry_projects=("web", "api")))
    assert [rule.name for rule in rules.rules] == ["default"]
    assert rules.rules[0].projects == ("web", "api")
    assert (rules.targets["default"].org, rules.targets["default"].token_env) == ("acme", "SENTRY_AUTH_TOKEN")


def test_an_empty_file_is_the_default_rule(folder: Path) -> None:
    assert read(folder, "") == load(settings(sentry_projects=("app",)))


def test_the_example_of_the_contract_is_read(folder: Path) -> None:
    text = (
        TARGET
        + "pace = 20\n"
        + EU
        + '[[rules]]\nname = "shop tags"\nrepo = "github:acme/shop-*"\nrefs = ["refs/tags/v*", "!refs/tags/*-nightly*"]\n'
        + 'target = ["main", "eu"]\nprojects = ["shop-web", "shop-api"]\nrelease = "shop@{tag}"\nset_commits = "auto"\n'
        + 'finalize = true\nenvironment = "production"\ncontinue = true\n'
    )
    rules = read(folder, text)
    (rule,) = rules.rules
    assert (rule.name, rule.repos, rule.refs) == (
        "shop tags",
        ("github:acme/shop-*",),
        ("refs/tags/v*", "!refs/tags/*-nightly*"),
    )
    assert (rule.targets, rule.projects, rule.release) == (("main", "eu"), ("shop-web", "shop-api"), "shop@{tag}")
    assert (rule.set_commits, rule.finalize, rule.environment, rule.goes_on) == ("auto", True, "production", True)
    assert (rules.targets["main"].pace, rules.targets["main"].url) == (20.0, "https://sentry.acme.test")


def test_what_a_rule_leaves_out_has_its_default(folder: Path) -> None:
    (rule,) = read(folder, TARGET + RULE).rules
    assert (rule.name, rule.refs, rule.targets, rule.release) == ("rule 1", ("refs/tags/*",), ("main",), None)
    assert (rule.set_commits, rule.finalize, rule.environment, rule.goes_on) == ("auto", True, None, False)


def test_a_rule_at_the_default_target_takes_the_projects_of_the_environment(folder: Path) -> None:
    (rule,) = read(folder, '[[rules]]\nrepo = "github:acme/shop"\n').rules
    assert (rule.targets, rule.projects) == (("default",), ("app",))


def test_a_slash_at_the_end_of_a_target_is_dropped(folder: Path) -> None:
    assert read(folder, TARGET.replace(".test", ".test/") + RULE).targets["main"].url == "https://sentry.acme.test"


def test_texts_beyond_ascii_are_fine(folder: Path) -> None:
    assert read(folder, TARGET + RULE + 'name = "größe"\n').rules[0].name == "größe"


def test_a_repositorys_name_at_a_target_is_found_without_case(folder: Path) -> None:
    named = '[targets.main.repositories]\n"github:Acme/Web" = "Web"\n'
    assert read(folder, TARGET + named + RULE).targets["main"].repositories == {"github:acme/web": "Web"}


def test_the_timer_is_off_unless_the_file_says_how_often(folder: Path) -> None:
    assert read(folder, TARGET + RULE).reconcile == ReconcileRules(every=None)
    found = read(folder, TARGET + RULE + '[reconcile]\nevery = "90m"\nrepositories = "github:acme/*"\n').reconcile
    assert found == ReconcileRules(every=timedelta(minutes=90), repositories=("github:acme/*",))
    every_one = read(folder, TARGET + RULE + '[reconcile]\nevery = "1d"\n').reconcile
    assert all(matches(pattern, key) for pattern in every_one.repositories for key in ("github:a/b", "gitlab:a/b/c"))


# --- faults ----------------------------------------------------------------------------------------------------------


def test_tags_are_read_as_commits_says_or_as_the_first_table_that_fits_the_repository(folder: Path) -> None:
    commits = read(
        folder,
        '[commits]\ntag = "v{version}"\nfinal_suffixes = ["avh"]\nprereleases = true\n'
        '[[commits.repositories]]\nrepo = "github:acme/*"\ntag = ["prod-{version}", "production-{version}"]\nbase = "prod-9"\n'
        '[[commits.repositories]]\nrepo = ["github:acme/shop", "gitlab:a/b"]\nprereleases = "skip"\n',
    ).commits
    assert commits.naming_for("github:other/repo") == NamingRules(
        templates=("v{version}",), final_suffixes=("avh",), counts_prereleases=True
    )
    assert commits.naming_for("github:acme/shop") == NamingRules(
        templates=("prod-{version}", "production-{version}"),
        final_suffixes=("avh",),
        bases=("prod-9",),
        counts_prereleases=True,
    )
    assert commits.naming_for("gitlab:a/b") == NamingRules(templates=("v{version}",), final_suffixes=("avh",))
    assert read(folder, "[commits]\nprereleases = 'count'\n").commits.naming.counts_prereleases


def test_every_fault_of_the_file_is_named_at_once(folder: Path) -> None:
    text = (
        '[targets.main]\nurl = "sentry.acme.test"\norg = "a b"\ntoken = "x"\n'
        '[[rules]]\nrepo = "acme/shop"\nreffs = ["refs/tags/*"]\nset_commits = "all"\n'
        '[[rules]]\nrepo = []\nrelease = "{tga}"\nfinalize = "yes"\n[rule]\n'
    )
    found = faults(folder, text)
    starts = [
        *("targets.main.url must be an http:// or https:// URL", "targets.main.org must be the organization's slug"),
        *("targets.main.token_env", "targets.main.token is not a known key: did you mean 'token_env'?"),
        *("rules[0].repo 'acme/shop' must be provider:full name", "rules[0].reffs is not a known key: did you mean 'refs'?"),
        *("rules[0].set_commits should be 'auto', 'payload', 'refs' or 'skip'", "rules[1].repo"),
        *("rules[1].release knows no placeholder {tga}", "rules[1].finalize should be a valid boolean"),
        "rule is not a known key: did you mean 'rules'?",
    ]
    for start in starts:
        assert any(fault.startswith(start) for fault in found), (start, found)
    assert len(found) == len(starts)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "x is not a known key: known are targets, rules"),
        (TARGET + 'orgg = "x"\n' + RULE, "targets.main.orgg is not a known key: did you mean 'org'?"),
        (TARGET + RULE + "continu = true\n", "rules[0].continu is not a known key: did you mean 'continue'?"),
        (TARGET + RULE + "goes_on = true\n", "rules[0].goes_on is not a known key"),
        (TARGET + RULE + "continue_ = true\n", "rules[0].continue_ is not a known key: did you mean 'continue'?"),
        (TARGET + RULE + 'target = "man"\n', "rules[0].target 'man' is not defined: did you mean 'main'?"),
        (TARGET + RULE + 'target = "eu"\n', "rules[0].target 'eu' is not defined: known are main"),
        (TARGET + EU + RULE, "rules[0].target is missing: name one of main, eu"),
        (TARGET + '[[rules]]\nrepo = "github:acme/shop"\n', "rules[0].projects is missing: name the projects of the release"),
        (TARGET, "rules is missing: without a rule nothing would ever be released"),
        (TARGET + RULE + 'refs = ["v*"]\n', "rules[0].refs 'v*' must begin with refs/tags/ or refs/heads/"),
        (TARGET + RULE + 'refs = ["!refs/tags/*"]\n', "rules[0].refs only excludes: add a pattern that includes"),
        (TARGET + RULE + "refs = []\n", "rules[0].refs "),
        (TARGET + RULE + 'refs = [""]\n', "rules[0].refs"),
        (
            TARGET + RULE + 'environment = "a/b"\n',
            "rules[0].environment must be 1 to 64 characters, none a slash or line break",
        ),
        (
            TARGET + RULE + 'environment = "a\\nb"\n',
            "rules[0].environment must be 1 to 64 characters, none a slash or line break",
        ),
        (TARGET + RULE + 'release = "{sha:2}"\n', "rules[0].release a length goes with {sha} only"),
        (TARGET + RULE + "release = 1\n", "rules[0].release should be a valid string"),
        (TARGET + RULE + 'finalize = "true"\n', "rules[0].finalize should be a valid boolean"),
        (TARGET + '[[rules]]\nprojects = ["x"]\n', "rules[0].repo field required"),
        (TARGET + '[[rules]]\nrepo = "github:"\nprojects = ["x"]\n', "rules[0].repo 'github:' must be provider:full name"),
        (TARGET + RULE.replace('["shop"]', '"shop"'), "rules[0].projects should be a valid list"),
        (TARGET + RULE.replace('["shop"]', "[]"), "rules[0].projects list should have at least 1 item"),
        (TARGET + "pace = 0\n" + RULE, "targets.main.pace should be greater than 0"),
        (TARGET + "pace = nan\n" + RULE, "targets.main.pace should be"),
        (TARGET + "pace = inf\n" + RULE, "targets.main.pace should be"),
        (TARGET + "deploy_wait = -1\n" + RULE, "targets.main.deploy_wait should be greater than or equal to 0"),
        (TARGET + "pace = true\n" + RULE, "targets.main.pace should be a valid number"),
        (TARGET.replace("https", "ftp") + RULE, "targets.main.url must be an http:// or https:// URL"),
        (TARGET.replace("//", "//me:hush@") + RULE, "targets.main.url must not hold a user name or password"),
        (TARGET.replace(".test", " .test") + RULE, "targets.main.url must be an http:// or https:// URL"),
        (TARGET.replace(".test", ".test:x") + RULE, "targets.main.url must be an http:// or https:// URL"),
        (
            TARGET.replace("ACME_TOKEN", "not a name") + RULE,
            "targets.main.token_env must be the name of an environment variable in capitals, not the token",
        ),
        (TARGET.replace("targets.main", 'targets."ma in"') + RULE, "targets.ma in must be a name of letters, digits, _ and -"),
        (TARGET + RULE + "[reconcile]\n", "reconcile.every field required"),
        (TARGET + RULE + '[reconcile]\nevery = "6 hours"\n', "reconcile.every must be a time such as 30m, 6h or 1d"),
        (TARGET + RULE + '[reconcile]\nevery = "1m"\n', "reconcile.every must be between 5m and 30d"),
        (TARGET + RULE + '[reconcile]\nevery = "31d"\n', "reconcile.every must be between 5m and 30d"),
        (TARGET + RULE + '[reconcile]\nevry = "6h"\n', "reconcile.evry is not a known key: did you mean 'every'?"),
        (
            TARGET + RULE + '[reconcile]\nevery = "6h"\nrepositories = ["acme/*"]\n',
            "reconcile.repositories 'acme/*' must be provider:full name",
        ),
        (
            TARGET + '[targets.main.repositories]\n"github:Acme/Web" = "Web"\n"github:acme/web" = "Shop"\n' + RULE,
            "targets.main.repositories 'github:Acme/Web' and 'github:acme/web' are the same repository",
        ),
        ("targets = 1\n", "targets should be a valid dictionary"),
        ("rules = {}\n", "rules should be a valid list"),
    ],
)
def test_a_fault_is_one_sentence_that_begins_with_its_key(folder: Path, text: str, said: str) -> None:
    found = faults(folder, text)
    assert [fault for fault in found if fault.startswith(said)], found
    assert "hush" not in str(found)
    assert "\n" not in str(found)


@pytest.mark.parametrize(
    ("text", "said"), [(b"a = ", "is not TOML"), (b"\xff", "cannot be read"), (b"a = 1\na = 2", "is not TOML")]
)
def test_a_file_that_is_no_toml_is_one_fault(folder: Path, text: bytes, said: str) -> None:
    (fault,) = faults(folder, text)
    assert said in fault


def test_a_file_that_vanished_is_one_fault(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"tagship\.toml cannot be read: FileNotFoundError"):
        load(settings(config_path=folder / "tagship.toml"))


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_a_target_whose_token_is_not_set_is_told_by_its_variable(folder: Path) -> None:
    rules = read(folder, TARGET + EU.replace("ACME", "EU") + RULE + 'target = ["main", "eu"]\n')
    (said,) = token_faults(rules, settings(environ={"ACME_TOKEN": "hush"}))
    assert said == "EU_TOKEN is not set: the token of the target 'eu' (https://sentry.acme.test)"
    assert len(token_faults(rules, settings(environ={"EU_TOKEN": " "}))) == 2
    assert token_faults(rules, settings(environ={"ACME_TOKEN": "a", "EU_TOKEN": "b"})) == []


def test_the_default_targets_token_is_sentry_auth_token() -> None:
    bare = settings(environ={})
    assert token_faults(load(bare), bare) == [
        "SENTRY_AUTH_TOKEN is not set: the token of the target 'default' (http://127.0.0.1:8001)"
    ]
