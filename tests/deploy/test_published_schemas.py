"""Files of deploy/ against what others publish: systemd's own checker, Kubernetes' and CycloneDX's schemas."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import sbom

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
MOST_EXPOSED = 2.5  # of 10; systemd calls anything below 3 well confined

pytestmark = pytest.mark.world


def missing(module: str) -> bool:
    return importlib.util.find_spec(module) is None


def documents(path: Path) -> Iterator[Any]:
    yield from (one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one["kind"] != "Kustomization")


@pytest.mark.skipif(missing("kubernetes_validate"), reason="kubernetes-validate is missing: make test-world installs it")
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_validate_against_the_published_schemas(path: Path) -> None:
    import kubernetes_validate

    for one in documents(path):
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.skipif(missing("kubernetes_validate"), reason="kubernetes-validate is missing: make test-world installs it")
def test_the_validator_refuses_a_misspelt_key() -> None:
    import kubernetes_validate

    (job,) = documents(ROOT / "deploy/kubernetes/migration.yaml")
    job["spec"]["backofLimit"] = job["spec"].pop("backoffLimit")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.skipif(missing("cyclonedx"), reason="cyclonedx-python-lib is missing: make test-world installs it")
def test_the_bill_of_materials_validates_against_cyclonedx() -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    found = sbom.describe([(ROOT / "requirements.txt").read_text(encoding="utf-8")])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(found)) is None


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with an interpreter that exists here: the checker looks for it."""
    shutil.copytree(ROOT / "deploy/systemd", tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("*.service"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("/opt/tagship/.venv/bin/python", sys.executable), encoding="utf-8")
    return tmp_path


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze (Debian: apt-get install systemd)")
def test_systemd_finds_nothing_wrong_with_the_units_and_calls_them_well_confined(units: Path) -> None:
    names = sorted(path.name for path in units.glob("tagship*") if path.suffix in (".service", ".target"))
    done = subprocess.run(
        ["systemd-analyze", "verify", *(f"./{name}" for name in names)], cwd=units, capture_output=True, text=True
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "tagship" in line]) == (0, [])
    services = [name for name in names if name.endswith(".service")]
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", *(f"./{name}" for name in services)],
        cwd=units,
        capture_output=True,
        text=True,
    )
    levels = [float(level) for level in re.findall(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)]
    assert len(levels) == len(services), done.stderr
    assert max(levels) <= MOST_EXPOSED
