"""The real clients that upload: sentry-cli of two major versions, and the plugins of four bundlers at their current versions.

They come from npm, and what they send is fetched again and compared with what lies on disk.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.releases.shop import CLI, Shop, know_repository, open_shop

BUNDLERS = ("esbuild", "rollup", "vite", "webpack")
CLI_2 = "@sentry/cli@2.58"
PACKAGES = (CLI_2, *BUNDLERS, *(f"@sentry/{name}-plugin" for name in BUNDLERS))
SCRIPT = Path(__file__).with_name("bundlers") / "build.mjs"
SOURCES = {
    "greet.js": 'export function greet(name) {\n  if (!name) throw new Error("no name");\n  return `hello ${name}`;\n}\n',
    "index.js": 'import { greet } from "./greet.js";\nconsole.log(greet("world"));\n',
}
ALARM = re.compile(r"\berror|fail", re.IGNORECASE)

pytestmark = [
    pytest.mark.world,
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A repository of a JavaScript project with every client installed."""
    with open_shop(tmp_path_factory.mktemp("shop")) as made:
        (made.folder / ".gitignore").write_text("node_modules\ndist*\n")
        (made.folder / "package.json").write_text('{"name": "shop", "private": true, "type": "module"}\n')
        install = ["npm", "install", "--no-audit", "--no-fund", "--no-save", *PACKAGES]
        done = subprocess.run(install, cwd=made.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"npm cannot install the clients here: {done.stderr[-300:]}")
        shutil.copy(SCRIPT, made.folder)
        (made.folder / "src").mkdir()
        for name, text in SOURCES.items():
            (made.folder / "src" / name).write_text(text)
        made.git("add", ".")
        made.git("commit", "-q", "-m", "the shop")
        know_repository(made)
        yield made


@pytest.mark.parametrize("bundler", BUNDLERS)
def test_a_default_build_with_a_plugin(shop: Shop, bundler: str) -> None:
    version, head = f"{bundler}@1.0.0", shop.commit(f"for-{bundler}")
    done = shop.run("node", SCRIPT.name, bundler, version)
    assert (done.returncode, ALARM.search(done.stdout + done.stderr)) == (0, None), done.stdout + done.stderr
    shown = shop.api(f"releases/{version}/")
    assert shown["dateReleased"] is not None
    assert shown["lastDeploy"]["environment"] == "production"
    (about, script), (_, source_map) = uploaded(shop, version)
    built = {path.suffix: path.read_text() for path in (shop.folder / f"dist-{bundler}").iterdir()}
    assert script.decode().removesuffix(f"//# debugId={about['debugId']}").rstrip() == built[".js"].rstrip()
    sent = json.loads(source_map)
    assert [sent.pop(key) for key in ("debug_id", "debugId")] == [about["debugId"]] * 2
    assert sent == json.loads(built[".map"].replace("webpack://", "")), "whose plugin sends its names without"
    # The plugin has named the commit; it is found once somebody brings the commits of the repository, as a worker does.
    commit = {"id": head, "repository": "acme/shop"}
    shop.api("releases/", {"version": f"{bundler}@worker", "projects": ["shop"], "commits": [commit]})
    assert eventually(lambda: head in shop.ids(version))


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    return holds()


def uploaded(shop: Shop, version: str) -> list[tuple[dict[str, str], bytes]]:
    """The files of the one bundle of a release, with their contents: scripts, then maps."""
    (bundle,) = shop.api(f"/projects/acme/shop/files/artifact-bundles/?query={version}")
    assert bundle["associations"] == [{"release": version, "dist": None}]
    path = f"/projects/acme/shop/artifact-bundles/{bundle['bundleId']}/files/"
    return [(one, shop.fetch(f"{path}{one['id']}/")) for one in shop.api(path)["files"]]


@pytest.mark.parametrize("major", [2, 3])
def test_sentry_cli_injects_and_uploads(shop: Shop, major: int) -> None:
    program, version, folder = cli(shop, major), f"cli-{major}@1.0.0", written(shop, f"dist-cli-{major}")
    shop.cli("sourcemaps", "inject", folder.name, program=program)
    assert "debugId" in (folder / "index.js").read_text()
    printed = shop.cli("sourcemaps", "upload", "--release", version, folder.name, program=program)
    assert "Uploaded files to Sentry" in printed
    found = {one["filePath"]: content for one, content in uploaded(shop, version)}
    assert found == {f"~/{path.name}": path.read_bytes() for path in folder.iterdir()}
    assert shop.cli("sourcemaps", "upload", "--release", version, folder.name, program=program), "the same again"
    assert len(uploaded(shop, version)) == len(found)


def test_files_of_a_release_as_sentry_cli_2_knows_them(shop: Shop) -> None:
    program, folder = cli(shop, 2), written(shop, "dist-files")
    files = ("releases", "files", "files@1.0.0")
    shop.cli("releases", "new", "files@1.0.0", program=program)
    shop.cli(*files, "upload", f"{folder.name}/index.js", "~/index.js", "--dist", "d", program=program)
    shop.cli(*files, "upload-sourcemaps", folder.name, "--no-rewrite", program=program)
    assert "~/index.js" in shop.cli(*files, "list", program=program)
    found = shop.api("releases/files@1.0.0/files/")
    assert [(one["name"], one["dist"]) for one in found] == [("~/index.js", "d")], "a bundle's files are not among them"
    for one in found:
        sent = (folder / one["name"].removeprefix("~/")).read_bytes()
        assert shop.fetch(f"releases/files@1.0.0/files/{one['id']}/?download=1") == sent
    shop.cli(*files, "delete", "~/index.js", program=program)
    assert shop.api("releases/files@1.0.0/files/") == []
    shop.cli(*files, "upload", f"{folder.name}/index.js", "~/index.js", program=program)
    shop.cli(*files, "delete", "--all", program=program)
    assert shop.api("releases/files@1.0.0/files/") == []
    assert len(uploaded(shop, "files@1.0.0")) == 2


def cli(shop: Shop, major: int) -> Path:
    return CLI if major == 3 else shop.folder / "node_modules" / ".bin" / "sentry-cli"


def written(shop: Shop, name: str) -> Path:
    """A script and its map, as a bundler writes them."""
    folder = shop.folder / name
    folder.mkdir()
    (folder / "index.js").write_text("console.log('hello');\n//# sourceMappingURL=index.js.map\n")
    mapped = {"version": 3, "sources": ["a.js"], "sourcesContent": ["console.log('hello')"], "names": [], "mappings": "AAAA"}
    (folder / "index.js.map").write_text(json.dumps(mapped))
    return folder
