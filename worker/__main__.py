"""`python -m worker run|sweep`: the two processes behind the broker, as the Procfile starts them."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from pathlib import Path

import click
from celery.exceptions import CPendingDeprecationWarning
from celery.platforms import SecurityWarning

from shared import __version__
from shared.config.settings import Settings, from_env
from shared.infra import logs, shutdown
from shared.infra.exit_codes import run_command
from worker import celery_fixes
from worker.app import check, make_sweeper, make_worker

OTHERS_END_SECONDS = 10.0
END_SECONDS = 24.0  # after SIGTERM: a database or forge that does not answer keeps nobody; platforms kill after thirty

logger = logs.get(__name__)


@click.group()
@click.version_option(__version__, prog_name="tagship")
def main() -> None:
    """Tagship's worker processes."""


@main.command()
def run() -> None:
    """Run jobs until SIGTERM; what is running then is finished first."""
    settings = _settings()
    app, _, live = make_worker(settings, ready_file=_ready_file())
    live.start()
    celery_fixes.apply()
    # Celery warns root of pickled messages; ours are JSON and hold ids only.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)  # about acknowledgements, which we do not use
    try:
        app.worker_main(
            [
                "--quiet",
                "worker",
                "--pool=threads",
                f"--concurrency={settings.worker_concurrency}",
                f"--loglevel={settings.log_level}",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
            ]
        )
    finally:
        live.stop()


@main.command()
def sweep() -> None:
    """Knock for what is due, rescue lost leases, compare forges with our releases; until SIGTERM."""
    settings = _settings()
    logs.setup(settings.log_format, settings.log_level)
    sweeper, comparing, watch, live = make_sweeper(settings)
    live.start()
    shutdown.set_on(sweeper.stopping, end_after=END_SECONDS)
    logger.info("sweeper.ready")
    if (ready_file := _ready_file()) is not None:
        ready_file.touch()
    beside = [
        threading.Thread(target=comparing.run, name="comparing", daemon=True),
        threading.Thread(target=watch.run, name="refusals", daemon=True),
    ]
    for thread in beside:
        thread.start()
    sweeper.run()
    live.stop()
    end = time.monotonic() + OTHERS_END_SECONDS
    for thread in beside:
        thread.join(max(0.0, end - time.monotonic()))  # what takes longer is found by its lease


def _settings() -> Settings:
    settings = from_env(os.environ, is_terminal=sys.stderr.isatty())
    check(settings)
    return settings


def _ready_file() -> Path | None:
    """Where the supervisor looks for the sign that this process is up; it alone sets the variable."""
    name = os.environ.get("TAGSHIP_READY_FILE")
    return Path(name) if name else None


if __name__ == "__main__":
    run_command(main)
