"""Dockerfile, compose files, units and manifests name only what exists: commands, settings, files, services, volumes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import sbom
from releases.cli import main as releases_cli
from shared.config.rules_file import load
from shared.config.settings import from_env
from webhook.__main__ import main as webhook_cli
from worker.__main__ import main as worker_cli

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
COMPOSE = [ROOT / "compose.yaml", ROOT / "compose.all-in-one.yaml"]
CLIS: dict[str, Any] = {"webhook": webhook_cli, "worker": worker_cli, "releases": releases_cli}
SETTINGS = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (ROOT / "docs/contract.md").read_text(encoding="utf-8")))
OF_OTHERS = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "PYTHONUNBUFFERED"}


def is_command(words: list[str]) -> bool:
    """Whether `python -m WORDS` is a command of ours."""
    command = CLIS.get(words[0])
    for word in words[1:]:
        command = getattr(command, "commands", {}).get(word)
    return command is not None


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_a_compose_file_names_only_what_exists(path: Path) -> None:
    found = read(path)
    services: dict[str, Any] = found["services"]
    for name, service in services.items():
        if service.get("build"):
            assert (ROOT / service["build"] / "Dockerfile").is_file()
            assert is_command(service["command"]), name
            assert service["read_only"] is True
            assert service["user"] == "65534:65534"
            assert set(service["environment"]) <= SETTINGS
        for other, wanted in service.get("depends_on", {}).items():
            assert other in services, name
            if wanted["condition"] == "service_healthy":
                assert "test" in services[other]["healthcheck"], other
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            assert source in found["volumes"] or (ROOT / source).exists(), mount
        assert [file for file in service.get("env_file", ()) if not (ROOT / f"{file}.example").is_file()] == []
        assert set(service.get("environment", {})) <= SETTINGS | OF_OTHERS


def test_the_compose_files_run_every_process() -> None:
    procfile = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text(encoding="utf-8").splitlines())
    commands = {" ".join(service.get("command", ())) for service in read(COMPOSE[0])["services"].values()}
    for name in ("web", "worker", "sweeper", "release"):
        assert procfile[name].partition("python -m ")[2] in commands, name


def test_the_rules_that_the_containers_begin_with_are_valid() -> None:
    assert load(from_env({"TAGSHIP_CONFIG": str(DEPLOY / "rules/tagship.toml")})).rules
    (rules,) = [one for one in manifests() if one["metadata"]["name"] == "tagship-rules"]
    assert rules["data"]["tagship.toml"].count("[[rules]]") == 1


def test_the_dockerfile_copies_what_exists_and_ignores_the_rest() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.*)$", text, re.M)]
    names = [name for words in copied for name in words]
    assert [name for name in names if not (ROOT / name).exists()] == []
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}
    assert kept == set(names)
    assert is_command(json.loads(re.findall(r"^CMD (.*)$", text, re.M)[-1]))


def manifests() -> Iterator[Any]:
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        yield from (one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one["kind"] != "Kustomization")


def test_the_kubernetes_manifests_name_only_what_exists() -> None:
    kustomization = read(DEPLOY / "kubernetes/kustomization.yaml")
    assert [name for name in kustomization["resources"] if not (DEPLOY / "kubernetes" / name).is_file()] == []
    found = list(manifests())
    named = {(one["kind"], one["metadata"]["name"]) for one in found}
    pods = {one["metadata"]["name"]: one for one in found if one["kind"] in ("Deployment", "Job")}
    assert set(pods) == {"migration", "web", "worker", "sweeper"}
    for name, one in pods.items():
        spec = one["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert is_command(container["args"]), name
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert spec["securityContext"]["runAsNonRoot"] is True
        for source in container["envFrom"]:
            ((kind, reference),) = source.items()
            assert ({"configMapRef": "ConfigMap", "secretRef": "Secret"}[kind], reference["name"]) in named
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
        assert ("ConfigMap", volumes["rules"]["configMap"]["name"]) in named
        if one["kind"] == "Deployment":
            assert one["spec"]["replicas"] >= 2
            assert one["spec"]["selector"]["matchLabels"] == one["spec"]["template"]["metadata"]["labels"]
            assert ("PodDisruptionBudget", name) in named
    for one in found:
        if one["metadata"]["name"] in ("tagship-environment", "tagship") and one["kind"] != "Namespace":
            assert set(one.get("data", one.get("stringData"))) <= SETTINGS


def test_the_units_run_commands_of_ours_and_belong_together() -> None:
    units = {path.name: path.read_text(encoding="utf-8") for path in (DEPLOY / "systemd").glob("tagship*") if path.is_file()}
    for name, text in units.items():
        for command in re.findall(r"^ExecStart=/opt/tagship/.venv/bin/python -m (.*)$", text, re.M):
            assert is_command(command.split()), name
        for other in re.findall(r"^(?:Requires|Wants|After)=(.*)$", text, re.M):
            assert [one for one in other.split() if one.startswith("tagship") and one not in units] == [], name
    common = (DEPLOY / "systemd/tagship-.service.d/common.conf").read_text(encoding="utf-8")
    assert set(re.findall(r"([A-Z_]{3,})=", re.findall(r"^Environment=(.*)$", common, re.M)[0])) <= SETTINGS | OF_OTHERS


def test_the_bill_of_materials_names_each_package_of_the_lock_files_once() -> None:
    locks = [(ROOT / name).read_text(encoding="utf-8") for name in ("requirements.txt", "requirements-embedded.txt")]
    found = sbom.describe(locks)
    pinned = set(re.findall(r"^([A-Za-z0-9._-]+==[^ ;]+)", "\n".join(locks), re.M))
    assert {f"{one['name']}=={one['version']}" for one in found["components"]} == pinned
    assert len({one["bom-ref"] for one in found["components"]}) == len(found["components"])
    assert found == sbom.describe(locks)
    assert all(one["properties"] for one in found["components"])


@pytest.mark.parametrize("lock", ["flask==3.1", "flask>=3 --hash=sha256:" + "0" * 64, "", "-e ."])
def test_a_lock_without_pins_and_hashes_has_no_bill_of_materials(lock: str) -> None:
    with pytest.raises(ValueError, match=r"not a pinned package|name no package"):
        sbom.describe([lock])
