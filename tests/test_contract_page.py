"""docs/contract.md names whatever people and programs outside can see; the table of decisions names each decision."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from releases.cli import main as releases_main
from shared.config import schema
from shared.config.near_names import OURS
from shared.domain.job_states import JobState, Outcome, Trigger
from shared.domain.job_warnings import WarningCode
from shared.domain.reasons import Reason
from shared.domain.target_health import TargetState
from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA
from tests.builders import NOW, rule, rules, settings
from tests.migrated import migrate
from webhook.__main__ import main as webhook_main
from webhook.app import create_app
from webhook.http.problem_codes import PROBLEMS, ProblemCode, of_status
from webhook.monitoring import metrics
from webhook.openapi.components import COMPONENTS
from worker.__main__ import main as worker_main

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\d+)\. [^\n]*\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
DECISIONS = ROOT / "docs" / "decisions"


def commands(group: click.Group, path: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}"


@pytest.mark.parametrize("command", sorted(commands(webhook_main)))
def test_each_command_is_named(command: str) -> None:
    assert re.search(rf"`{command}[ `]", SECTIONS["5"])


@pytest.mark.parametrize("command", sorted(commands(worker_main)))
def test_each_command_of_the_worker_is_named(command: str) -> None:
    assert f"`python -m worker {command}`" in SECTIONS["5"]


def test_each_noun_of_the_endpoints_command_line_is_named() -> None:
    assert {"serve", "org", "token"} <= set(releases_main.commands)
    assert [noun for noun in releases_main.commands if f"`{noun}`" not in SECTIONS["6"]] == []


def test_each_setting_is_named() -> None:
    names = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(names) > 20
    assert sorted(OURS - {*names}) == [], "these are missing in .env.example"
    assert [name for name in names if f"`{name}`" not in SECTIONS["2"]] == []


@pytest.mark.parametrize(
    "table",
    [
        schema.TargetTable,
        schema.RuleTable,
        schema.SourceTable,
        schema.CommitsTable,
        schema.NamedRepositoriesTable,
        schema.ReconcileTable,
    ],
)
def test_each_key_of_the_rules_file_is_in_the_example(table: type[schema._Strict]) -> None:
    for name, field in table.model_fields.items():
        assert re.search(rf"^{field.alias or name} = |\.{name}\]", SECTIONS["2"], re.MULTILINE), name


def test_each_problem_is_told_with_its_status_and_has_a_place_on_the_page() -> None:
    known = settings(database_url="sqlite:///unused.sqlite3", ops_token="0123456789abcdef-token")
    page = create_app(known, rules(rule())).test_client().get("/reference/problems").text
    for code, told in PROBLEMS.items():
        assert f"| `{code}` | {told.status} | {told.meaning} |" in PAGE
        assert f'<tr id="{code}">' in page
        assert of_status(told.status) in PROBLEMS
    assert set(PROBLEMS) == set(ProblemCode)


def test_each_address_of_the_api_is_named() -> None:
    placeholders = {"delivery_id": "ID", "job_id": "ID", "name": "NAME", "replay": "NUMBER", "provider": "PROVIDER"}
    app = create_app(settings(database_url="sqlite:///unused.sqlite3"), rules(rule()))
    listed = [found for found in app.url_map.iter_rules() if found.rule.startswith("/api/")]
    assert listed
    for found in listed:
        shown = re.sub(r"<(?:\w+:)?(\w+)>", lambda name: placeholders[name[1]], found.rule)
        (method,) = (found.methods or set()) & {"GET", "POST"}
        assert f"`{method} {shown}`" in SECTIONS["4"]


@pytest.mark.parametrize(
    "name",
    ["Job", "Delivery", "Attempt", "Replay", "Target", "Stats", "Release", "RepositoryWithTags", "ListedRule", "AuditEntry"],
)
def test_each_key_of_an_object_is_named(name: str) -> None:
    for key in COMPONENTS[name]["properties"]:
        assert f"`{key}`" in SECTIONS["4"] or f'"{key}"' in SECTIONS["4"], key


@pytest.mark.parametrize("states", [JobState, TargetState, Trigger, Outcome])
def test_each_state_is_named(states: type[JobState | TargetState | Trigger | Outcome]) -> None:
    assert [state for state in states if f"`{state}`" not in SECTIONS["4"]] == []


def test_each_reason_code_has_a_row_with_an_anchor() -> None:
    rows = re.findall(r'^\| <a id="(\w+)"></a>`(\w+)` \|', SECTIONS["7"].partition("### 7.1")[0], re.MULTILINE)
    assert sorted(anchor for anchor, _ in rows) == sorted(map(str, Reason))
    assert all(anchor == code for anchor, code in rows)


def test_each_warning_code_has_a_row_with_an_anchor() -> None:
    rows = re.findall(r'^\| <a id="(\w+)"></a>`(\w+)` \|', SECTIONS["7"].partition("### 7.1")[2], re.MULTILINE)
    assert rows == [(code, code) for code in WarningCode]


def test_each_metric_is_named_and_no_other(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    migrate(engine, SCHEMA)
    with engine.begin() as connection:
        families = list(metrics.LedgerMetrics(connection, rules(rule()), {}, NOW).collect())
    engine.dispose()
    served = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert served == set(re.findall(r"`(tagship_\w+)`", SECTIONS["8"]))
    assert served == set(re.findall(r"`(tagship_\w+)", (ROOT / "docs" / "dashboard.md").read_text(encoding="utf-8")))


def test_each_action_of_the_audit_log_is_named() -> None:
    tree = ast.parse((ROOT / "webhook" / "ops" / "operations.py").read_text(encoding="utf-8"))
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    written = {word for word in words if re.fullmatch(r"(job|jobs|delivery|target|repository)_[a-z]+", word)}
    assert {"job_replay", "repository_create"} <= written
    assert [action for action in written if f"`{action}`" not in SECTIONS["9"]] == []


def test_the_table_of_decisions_names_each_with_its_date_and_status() -> None:
    table = (DECISIONS / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \[\d+\]\(([\w-]+\.md)\) \|.*\| (\d{4}-\d\d-\d\d \| [^|]+) \|$", table, re.MULTILINE))
    written = {}
    for page in DECISIONS.glob("[0-9]*.md"):
        found = re.search(r"^Date: (\d{4}-\d\d-\d\d)\. Status: (.+)\.$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert found, page.name
        written[page.name] = f"{found[1]} | {found[2]}"
    assert rows == written
