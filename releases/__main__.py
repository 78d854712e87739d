"""`python -m releases`: serves the embedded endpoint, and makes the organizations, projects, tokens and keys it serves."""

from __future__ import annotations

from releases.cli import main
from shared.infra.exit_codes import run_command

if __name__ == "__main__":
    run_command(main, "releases")  # 0 done, 1 failed, 2 wrong use or configuration, 3 nothing matched
