"""The command line without a process: a process of its own costs a second of imports, and no test here is about that."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import structlog
from click.testing import CliRunner

from shared.infra.exit_codes import run_command
from webhook.__main__ import main

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Done:
    """What a process would have left behind."""

    returncode: int
    stdout: str
    stderr: str


def run(environ: Mapping[str, str], *arguments: str) -> Done:
    """`python -m webhook ARGUMENTS` with exactly this environment, and no terminal."""
    code = 0
    with CliRunner().isolation() as (stdout, stderr, _), patch.dict(os.environ, environ, clear=True), _logging_kept():
        try:
            run_command(lambda: main(list(arguments), prog_name="python -m webhook"))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        sys.stderr.flush()
    return Done(code, stdout.getvalue().decode(), stderr.getvalue().decode())


def call(environ: Mapping[str, str], *arguments: str, code: int = 0) -> Any:
    """As `run`, for a command whose exit code is known; with --json, the value that it prints."""
    done = run(environ, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if "--json" in arguments and done.stdout else done


@contextmanager
def _logging_kept() -> Iterator[None]:
    """A command sets up the logs of its process; other tests have theirs."""
    root, configured, before = logging.getLogger(), structlog.is_configured(), structlog.get_config()
    handlers, level = root.handlers, root.level
    try:
        yield
    finally:
        root.handlers, root.level = handlers, level
        structlog.configure(**before) if configured else structlog.reset_defaults()
