"""A config that someone would like to try: every fault named, bounded, and no answer tells what the environment holds."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadParameter
from tests.builders import examples, settings
from webhook.ops.config_preview import LONGEST, LONGEST_LINE, read_config

GOOD = """
[targets.main]
url = "https://sentry.acme.test"
org = "acme"
token_env = "{variable}"

[[rules]]
repo = "github:acme/*"
projects = ["shop"]
"""


def test_a_config_is_read_as_the_file_would_be() -> None:
    rules = read_config(GOOD.format(variable="ACME_TOKEN"), settings())
    assert [(rule.name, rule.targets, rule.projects) for rule in rules.rules] == [("rule 1", ("main",), ("shop",))]


def test_an_empty_config_is_an_empty_file() -> None:
    assert [rule.name for rule in read_config("", settings()).rules] == ["default"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[[rules]]\nrepo = "github:a/b"\ncolour = "red"', "rules[0].colour is not a known key"),
        ('[[rules]]\nrepo = "a/b"', "rules[0].repo 'a/b' must be provider:full name"),
        ('[[rules]]\nrepo = "github:a/b"\ntarget = "eu"', "rules[0].target 'eu' is not defined"),
        ('[targets.x]\nurl = "ftp://x"\norg = "a"\ntoken_env = "T"', "targets.x.url must be an http://"),
        (
            "".join(f'[targets.t{n}]\nurl = "http://x"\norg = "a"\ntoken_env = "T"\n' for n in range(21))
            + '[[rules]]\nrepo = "*:*"\ntarget = "t1"\nprojects = ["a"]',
            "targets holds more than 20",
        ),
        ("rules = [", "config is not TOML"),
        ("a = " + "[" * 1_900, "config is not TOML: a number or a nesting is too long"),
        ("a = [\n" + ",\n".join("9" * 1_990 for _ in range(3)) + "]", "a is not a known key"),
        ("x = '" + "x" * LONGEST + "'", f"config is longer than {LONGEST} characters"),
        (".".join("a" * (LONGEST_LINE // 2 + 1)) + " = 1", f"a line longer than {LONGEST_LINE} characters"),
        ('x = "\ud800"', "x is not a known key"),
    ],
)
def test_each_fault_names_its_field(text: str, named: str) -> None:
    with pytest.raises(BadParameter) as caught:
        read_config(text, settings())
    assert named in str(caught.value)


def test_the_sentence_of_many_faults_is_bounded() -> None:
    with pytest.raises(BadParameter) as caught:
        read_config("\n".join(f'[targets.{"t" * 60}{n}]\nurl = "{"u" * 400}"' for n in range(120)), settings())
    assert len(str(caught.value)) < 8_000
    assert "more faults" in str(caught.value)


def test_no_answer_tells_whether_a_variable_of_the_environment_exists() -> None:
    here = settings(environ={"PRESENT": "s3cret-value", "GITHUB_WEBHOOK_SECRET": "s3cret-value"})
    for variable in ("PRESENT", "GITHUB_WEBHOOK_SECRET"):
        asked, other = GOOD.format(variable=variable), GOOD.format(variable="ABSENT_" + variable)
        assert read_config(asked, here).rules == read_config(other, here).rules
        broken = [text.replace("projects", "project") for text in (asked, other)]
        faults = []
        for text in broken:
            with pytest.raises(BadParameter) as caught:
                read_config(text, here)
            faults.append(str(caught.value))
        assert faults[0] == faults[1]
        assert "s3cret" not in faults[0]


@given(st.text(max_size=400) | st.text(alphabet="[]{}=\"'.,#\n\\ ruletagsnmp0123", max_size=400))
@examples(300)
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(BadParameter):
        assert read_config(text, settings()).targets
