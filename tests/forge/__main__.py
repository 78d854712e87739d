"""`python -m tests.forge PROVIDER NAME COMMITS`: serves a long history until SIGTERM, and says where on one line."""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path

from tests.forge import Forge
from tests.forge.histories import long


def main(provider: str, name: str, commits: int) -> None:
    with tempfile.TemporaryDirectory(prefix="tagship-bench-") as folder:
        built = long(commits).build(Path(folder) / "repository")
        forge = Forge("github" if provider == "github" else "gitlab")
        forge.add(name, built.path)
        print(forge.url, built.sha["v1.0.0"], built.sha["v2.0.0"], flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
