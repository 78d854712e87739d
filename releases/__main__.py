"""`python -m releases`: serves the embedded endpoint, and makes the organizations, projects, tokens and keys it serves."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from releases import cli
from shared.config.env_files import completed
from shared.config.settings import from_env
from shared.errors import SettingsError


def main(arguments: Sequence[str]) -> int:
    """0 done, 1 failed, 2 wrong use or configuration, 3 nothing matched."""
    options = cli.parse(arguments)
    try:
        # A server takes what its supervisor gives; the other commands stand beside a running `make run`.
        environ = os.environ if options.noun == "serve" else completed(os.environ)
        return cli.run(options, from_env(environ, is_terminal=sys.stderr.isatty()))
    except SettingsError as problem:
        for fault in problem.faults:
            print(f"releases: {fault}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
