"""The image built and run by buildah and podman, without a registry: debootstrap makes the base from this machine's mirror."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("buildah", "podman", "runc", "debootstrap")
BASE, IMAGE = "localhost/tagship-test-base", "localhost/tagship-test"
_PACKAGES = "python3,python3-venv,ca-certificates"
_NOBODY = "65534"


def why_not() -> str | None:
    """Why no image can be built here, None where it can."""
    if missing := [tool for tool in TOOLS if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is None]:
        return f"the container image is not tried: {', '.join(missing)} missing (Debian: apt-get install {' '.join(missing)})"
    return "the container image is not tried: building it here needs root" if os.geteuid() != 0 else None


def build() -> None:
    """The image from the Dockerfile. The base stays for the next run: making it takes minutes."""
    if _call("podman", "image", "exists", BASE, check=False).returncode:
        _make_base()
    # pip reaches its index by this machine's certificates and settings.
    kept = [f"--volume={path}:{path}:ro" for path in ("/etc/ssl/certs", "/etc/pip.conf", "/etc/xdg/pip") if Path(path).exists()]
    options = (
        "--layers",
        "--isolation",
        "chroot",
        "--network",
        "host",
        "--format",
        "docker",
        "--build-arg",
        f"BASE_IMAGE={BASE}",
    )
    _call("buildah", "bud", *options, *kept, "--tag", IMAGE, ".")


def inspect_image() -> dict[str, Any]:
    (found,) = json.loads(_call("podman", "image", "inspect", IMAGE).stdout)
    return dict(found)


def _make_base() -> None:
    mirror = _call("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages").stdout.split()[:2]
    with tempfile.TemporaryDirectory(prefix="tagship-base-") as folder:
        _call("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", mirror[1], folder, mirror[0])
        archive = Path(folder).with_suffix(".tar")
        try:
            _call(
                "tar", "-C", folder, "--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*", "-cf", str(archive), "."
            )
            _call("podman", "import", str(archive), BASE)
        finally:
            archive.unlink(missing_ok=True)


class Container:
    """One that runs: read-only, as nobody, with 256 MiB unless said otherwise. `volume` is mounted at /data."""

    def __init__(
        self,
        volume: str,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        memory: str = "256m",
        entrypoint: str | None = None,
    ) -> None:
        named = [f"--env={name}={value}" for name, value in environ.items()]
        named += [f"--entrypoint={entrypoint}"] if entrypoint else []
        self.id = _call(
            *("podman", "--runtime", "/usr/sbin/runc", "--cgroup-manager", "cgroupfs", "run", "--detach", "--network=host"),
            *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--memory", memory, "--no-healthcheck"),
            *("--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp", "--user", _NOBODY, "--volume", f"{volume}:/data"),
            *(*named, IMAGE, *arguments),
        ).stdout.strip()

    def run(self, *command: str) -> str:
        """What a command printed inside."""
        return _call("podman", "--runtime", "/usr/sbin/runc", "exec", self.id, *command).stdout

    def logs(self) -> str:
        done = _call("podman", "logs", self.id, check=False)
        return done.stdout + done.stderr

    def changes(self) -> list[str]:
        """Files of the image's own layers that differ from the image."""
        found = _call("podman", "diff", self.id).stdout.splitlines()
        return [line.split(" ", 1)[1] for line in found]

    def stop(self) -> tuple[int, float]:
        """(exit code of PID 1, seconds from SIGTERM to its end)."""
        started = time.monotonic()
        _call("podman", "--runtime", "/usr/sbin/runc", "kill", "--signal", "TERM", self.id)
        return self.wait(), time.monotonic() - started

    def wait(self) -> int:
        """The exit code of PID 1, once it has ended by itself."""
        return int(_call("podman", "wait", "--interval", "20ms", self.id).stdout)

    def remove(self) -> None:
        _call("podman", "--runtime", "/usr/sbin/runc", "rm", "--force", "--time", "0", self.id, check=False)


class Containers:
    """Several on one volume. All end, and the volume with them, when the context does."""

    def __init__(self) -> None:
        self._volume = f"tagship-test-{os.getpid()}-{time.monotonic_ns()}"
        self._all: list[Container] = []

    def __enter__(self) -> Containers:
        _call("podman", "volume", "create", self._volume)
        return self

    def __exit__(self, *_: object) -> None:
        for container in reversed(self._all):
            container.remove()
        _call("podman", "volume", "rm", "--force", self._volume, check=False)

    def start(self, *arguments: str, memory: str = "256m", entrypoint: str | None = None, **environ: str) -> Container:
        made = Container(self._volume, arguments, environ, memory, entrypoint)
        self._all.append(made)
        return made


def _call(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    cwd = ROOT if command[0] == "buildah" else tempfile.gettempdir()  # a container that is killed leaves a file `oom` behind
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=1_200)
    assert not check or done.returncode == 0, (
        f"{' '.join(command[:6])}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    )
    return done
