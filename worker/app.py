"""The worker's composition root: settings, rules, engine and HTTP client become a Celery app and a sweeper."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Celery, signals
from sqlalchemy.engine import Engine

from shared.broker import TASK, make_celery
from shared.config import rules_file
from shared.config.changed_files import Config, read_config
from shared.config.settings import Settings
from shared.errors import SettingsError
from shared.forge_access import wake_partial
from shared.infra import logs
from shared.infra.database import make_engine
from shared.infra.garbage import spare_what_lasts
from shared.infra.http_client import make_client
from shared.infra.postgres import BACKGROUND_REPLY_SECONDS
from shared.infra.shutdown import aside
from shared.ledger import job_transitions
from shared.ledger.tables import SCHEMA
from shared.live_config import LiveConfig
from shared.reconcile import Comparer
from shared.targets.repository_names import RepositoryNames
from worker.commits.forge_pool import Forges
from worker.commits.release_commits import Gatherer
from worker.jobs.attempt import LONGEST_ATTEMPT_SECONDS, Tools
from worker.jobs.runner import Runner
from worker.sweeper.loop import Sweeper
from worker.sweeper.reconcile_schedule import Timer
from worker.sweeper.reconciler import Comparing
from worker.sweeper.refusal_watch import RefusalWatch

STOP_SECONDS = 24.0  # from SIGTERM to handing back what is not done
HAND_BACK_SECONDS = 4.0  # for that; platforms kill after thirty seconds


_LOOK_AGAIN_SECONDS = 0.005
_SWEEPER_CONNECTIONS = 4  # its loop and the three threads beside it

logger = logs.get(__name__)


def check(settings: Settings) -> None:
    """What the processes behind the broker cannot do without. Raises SettingsError with every fault, SchemaError."""
    faults = []
    if settings.broker_url is None:
        faults.append("BROKER_URL is not set: the worker needs a broker (redis:// or amqp://); `make run` brings its own")
    if job_transitions.LEASE.total_seconds() <= 2 * LONGEST_ATTEMPT_SECONDS:
        faults.append("the lease is shorter than twice the longest attempt")
    if faults:
        raise SettingsError(faults)
    SCHEMA.check(make_engine(settings.database_url, "tagship-check"))


def _open(settings: Settings, name: str, connections: int) -> Engine:
    """`connections`: one for each thread that may want one, so that none waits for another."""
    connections = settings.database_connections or connections
    return make_engine(settings.database_url, name, connections=connections, reply_seconds=BACKGROUND_REPLY_SECONDS)


def make_worker(settings: Settings, *, ready_file: Path | None) -> tuple[Celery, Runner, LiveConfig]:
    """The Celery app with its one task. Raises SettingsError when a target's token is missing or the file is faulty."""
    config = read_config(settings)
    rules = config.rules
    logs.hide(settings.every_secret(rules.secret_names))
    _check_tokens(config)
    app = make_celery(settings.broker_url)
    engine, client = _open(settings, "tagship-worker", settings.worker_concurrency + 2), make_client(settings.outgoing)
    gatherer = Gatherer(engine, Forges(client, settings.forges), RepositoryNames(), rules.commits, rules)
    runner = Runner(engine, Tools(client=client, rules=rules, token=settings.secret, gatherer=gatherer))
    app.task(runner.run, name=TASK, ignore_result=True)
    _connect_signals(settings, runner, ready_file)
    wake_partial(engine)  # with another token, or an API that was off, the forge may tell what it did not tell before

    def use(changed: Config) -> None:
        _check_tokens(changed)
        runner.use(changed.rules)

    return app, runner, LiveConfig("worker", config, engine, use)


def _check_tokens(config: Config) -> None:
    if faults := rules_file.token_faults(config.rules, config.settings):
        raise SettingsError(faults)


def _connect_signals(settings: Settings, runner: Runner, ready_file: Path | None) -> None:
    def on_setup_logging(**_: Any) -> None:
        logs.setup(settings.log_format, settings.log_level)

    def on_ready(sender: Any, **_: Any) -> None:
        runner.on_free = _waker(sender)
        spare_what_lasts()
        logger.info("worker.ready", concurrency=settings.worker_concurrency)
        if ready_file is not None:
            ready_file.touch()

    def on_stopping(**_: Any) -> None:
        aside(lambda: _stop_in_time(runner))  # Celery calls this inside its signal handler

    # weak=False: Celery keeps no other reference to these functions.
    signals.setup_logging.connect(on_setup_logging, weak=False)
    signals.worker_ready.connect(on_ready, weak=False)
    signals.worker_shutting_down.connect(on_stopping, weak=False)


def _waker(consumer: Any) -> Callable[[], object]:
    """What tells Celery that a thread is free. With prefetching off it fetches nothing while all are busy, and nobody
    tells it when one is not: it would look again once a second, and a burst would pass at one job a thread and second."""
    hub = getattr(consumer, "hub", None)
    if hub is None:  # a broker whose transport has no event loop
        return lambda: None
    # Celery counts the thread as busy until a moment after our function returned: so it looks twice.
    return lambda: hub.call_soon(hub.call_later, _LOOK_AGAIN_SECONDS, _nothing)


def _nothing() -> None:
    """The event loop's reason for one more turn."""


def _stop_in_time(runner: Runner, seconds: float = STOP_SECONDS, hand_back_seconds: float = HAND_BACK_SECONDS) -> None:
    """Celery waits for its threads without limit, platforms kill after thirty seconds: what is left then is handed back.

    A call that is on its way may still arrive; the next worker's is then answered "existed", and a deploy is looked up
    before it is sent again. Usually Celery has ended the process, and this thread with it, long before; it is no use to ask
    the runner whether it is idle, since it may be in the middle of claiming a job.
    """
    logger.info("worker.stopping")
    runner.stopping.set()
    time.sleep(seconds)
    end = threading.Timer(hand_back_seconds, os._exit, (0,))  # the database may be locked or out of reach: leases end too
    end.daemon = True
    end.start()
    try:
        runner.hand_back()
    except Exception as problem:
        logger.warning("jobs.not_handed_back", error=type(problem).__name__)
    finally:
        os._exit(0)


def make_sweeper(settings: Settings) -> tuple[Sweeper, Comparing, RefusalWatch, LiveConfig]:
    """The sweeper, and what asks forges and looks at files in threads beside it; one event stops all but the last."""
    config = read_config(settings)
    rules = config.rules
    logs.hide(settings.every_secret(rules.secret_names))
    engine = _open(settings, "tagship-sweeper", _SWEEPER_CONNECTIONS)
    sweeper = Sweeper(engine, make_celery(settings.broker_url), rules)
    client = make_client(settings.outgoing)
    comparer = Comparer(settings, rules, engine, client, sweeper.stopping)
    comparing = Comparing(engine, comparer, Timer(engine, rules.reconcile), sweeper.stopping)

    def use(changed: Config) -> None:
        sweeper.use(changed.rules)
        comparing.use(changed.rules)

    watch = RefusalWatch(engine, client, settings.forges, sweeper.stopping)
    return sweeper, comparing, watch, LiveConfig("sweeper", config, engine, use)
