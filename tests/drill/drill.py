"""One drill: real processes, a hostile target, deaths at random moments; then every delivery is accounted for.

What is shortened: waits (a retry's and a pause's, by writing nearer times into the ledger) and the lease of jobs whose
worker was killed. Nothing else is simulated.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA, jobs, target_states
from tests.drill.hostile import HostileTarget
from tests.drill.parts import ROOT, Part, Postgres, RabbitMq, Redis, python
from tests.e2e.running import fetch
from webhook.local.environment import free_port
from webhook.local.sample_webhooks import Sample, SampleCommit, github_push, sha, sign_github
from webhook.local.stack import answers

SECRET, TOKEN = "drill-secret", "drill-token"
RULES = """
[targets.main]
url = "{url}"
org = "acme"
token_env = "DRILL_TOKEN"
pace = 500
deploy_wait = 4  # this target does in that time what it does at all

[[rules]]
repo = "github:acme/shop"
projects = ["shop"]
environment = "production"

[[rules]]
repo = "github:*"
projects = ["app"]
"""
AT_WORK = ("queued", "running", "retrying")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    deliveries: int = 2_000
    kills: int = 40
    seed: int = 1
    database: str = "sqlite"
    broker: str = "redis"
    spacing: float = 2.0  # seconds between two kills
    share: float = 0.25  # of the target's answers that are faults
    patience: float = 300.0  # seconds until everything must have ended


@dataclass(slots=True)
class Report:
    plan: Plan
    kills: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)  # of the receiver's answers
    rows: list[tuple[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def run(plan: Plan, say: Callable[[str], None] = print) -> Report:
    """Raises nothing that the drill is about: what went wrong stands in `faults`."""
    with tempfile.TemporaryDirectory(prefix="tagship-drill-") as name:
        drill = Drill(plan, Path(name), say)
        try:
            return drill.run()
        finally:
            drill.stop()


class Drill:
    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None]) -> None:
        self.plan, self.folder, self.say = plan, folder, say
        folder.chmod(0o755)  # PostgreSQL runs as another user where we are root
        self.report = Report(plan)
        self.random = random.Random(plan.seed)
        self.target = HostileTarget(plan.seed, plan.share)
        self.postgres = Postgres(folder) if plan.database == "postgresql" else None
        self.broker = RabbitMq(folder) if plan.broker == "rabbitmq" else Redis(folder)
        self.port = free_port()
        self.environ = self._environ()
        self.engine: Engine = make_engine(self.environ["DATABASE_URL"])
        self.web = Part("web", python("-m", "webhook", "serve"), self.environ, self._web_is_up)
        self.worker = self._background("worker", "run")
        self.sweeper = self._background("sweeper", "sweep")
        self.accepted: dict[str, str] = {}  # delivery id -> version, of those answered 2xx
        self._ended = threading.Event()
        self._killer = threading.Thread(target=self._kill_at_random)
        self._platform = threading.Thread(target=self._keep_up)
        self._started_again = 0
        self._touching = threading.Lock()  # who kills a part starts it again; the platform keeps out meanwhile

    def _environ(self) -> dict[str, str]:
        rules = self.folder / "tagship.toml"
        rules.write_text(RULES.format(url=self.target.url))
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
            "DATA_DIR": str(self.folder),
            "DATABASE_URL": self.postgres.url if self.postgres else f"sqlite:///{self.folder / 'ledger.sqlite3'}",
            "BROKER_URL": self.broker.url,
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "1",
            "WORKER_CONCURRENCY": "8",
            "GITHUB_WEBHOOK_SECRET": SECRET,
            "DRILL_TOKEN": TOKEN,
            "GITHUB_API_URL": "off",
            "TAGSHIP_CONFIG": str(rules),
            "LOG_FORMAT": "json",
            "PYTHONUNBUFFERED": "1",
        }

    def _background(self, name: str, verb: str) -> Part:
        ready = self.folder / f"{name}.ready"
        environ = {**self.environ, "TAGSHIP_READY_FILE": str(ready)}
        return Part(name, python("-m", "worker", verb), environ, ready.exists)

    def _web_is_up(self) -> bool:
        return answers(f"http://127.0.0.1:{self.port}/healthz")

    def run(self) -> Report:
        SCHEMA.upgrade(self.engine)
        self.broker.start()
        for part in (self.web, self.worker, self.sweeper):
            part.start()
        for part in (self.web, self.worker, self.sweeper):
            part.await_up()
        clock = threading.Thread(target=self._hurry, daemon=True)
        clock.start()
        self._platform.start()
        began = time.monotonic()
        self._killer.start()
        self._send_all()
        self._killer.join()
        self.say(f"sent {self.plan.deliveries} in {time.monotonic() - began:.0f} s; the target is well again")
        self.target.share = 0.0
        self._await_end("every job has ended")
        self._account("")
        self._replay_failed()
        self._ended.set()
        clock.join(5)
        self._platform.join()
        self.report.rows.append(("parts that ended by themselves, started again", self._started_again))
        for part in (self.worker, self.sweeper, self.web):
            self.report.rows.append((f"SIGTERM to the {part.name}: seconds", round(part.stop(), 1)))
        return self.report

    def stop(self) -> None:
        self._ended.set()
        for thread in (self._killer, self._platform):  # they start what is down
            if thread.is_alive():
                thread.join()
        for part in (self.web, self.worker, self.sweeper):
            part.kill()
        self.broker.stop()
        self.engine.dispose()
        if self.postgres is not None:
            self.postgres.stop()
        self.target.close()

    # --- sending

    def _send_all(self) -> None:
        length = self.plan.kills * self.plan.spacing
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            for number in range(self.plan.deliveries):
                wait = began + length * number / self.plan.deliveries - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                pool.submit(self._deliver, number)

    def _deliver(self, number: int) -> None:
        """As a provider does, and as an operator who presses "redeliver" where it was not answered 2xx."""
        repository = "acme/shop" if number % 4 == 0 else f"acme/r{number % 7}"
        version = f"v{self.plan.seed}.0.{number}"
        ids = [f"d-{number}"] * (2 if number % 19 == 0 else 1) + ([f"org-{number}"] if number % 23 == 0 else [])
        for delivery_id in ids:
            sample = self._sample(repository, version, delivery_id)
            for _ in range(60):
                status = self._post(sample)
                self.report.statuses[str(status)] += 1
                if status in (200, 202):
                    self.accepted[delivery_id] = version
                    break
                time.sleep(0.5)

    def _sample(self, repository: str, version: str, delivery_id: str) -> Sample:
        commit = SampleCommit(f"Work for {version}", added=["a.py"])
        payload = github_push(repository=repository, ref=f"refs/tags/{version}", head=commit, after=sha(f"object {version}"))
        return sign_github(payload, SECRET, delivery_id=delivery_id)

    def _post(self, sample: Sample) -> int | str:
        try:
            return fetch(f"http://127.0.0.1:{self.port}/webhooks/github", sample.headers, sample.body, timeout=15)[0]
        except (URLError, OSError, ValueError) as problem:
            return type(problem).__name__

    def _keep_up(self) -> None:
        """As a platform that runs the Procfile: a part that ended by itself, such as one that met no database, starts again."""
        while not self._ended.wait(0.5):
            with self._touching:
                for part in (self.web, self.worker, self.sweeper):
                    if not part.is_running():
                        self._started_again += 1
                        part.start()

    # --- killing

    def _kill_at_random(self) -> None:
        kinds = [self._kill_worker, self._kill_web, self._kill_sweeper, self._wipe_broker]
        kinds.append(self._restart_postgres if self.postgres else self._fill_disk)
        order = [kinds[number % len(kinds)] for number in range(self.plan.kills)]  # each kind in turn, then shuffled
        self.random.shuffle(order)
        for kill in order:
            if self._ended.wait(self.plan.spacing * self.random.uniform(0.5, 1.5)):
                return
            try:
                with self._touching:
                    kill()
            except Exception as problem:
                self.report.faults.append(f"{kill.__name__}: {type(problem).__name__}: {problem}")

    def _kill_worker(self) -> None:
        self.report.kills["worker"] += 1
        self.worker.kill()
        self._retrying_sql(
            lambda connection: connection.execute(
                jobs.update().where(jobs.c.status == "running").values(lease_until=datetime.now(UTC) + timedelta(seconds=1))
            )
        )
        self.worker.start()

    def _kill_web(self) -> None:
        self.report.kills["receiver"] += 1
        self.web.kill()
        self.web.start()

    def _kill_sweeper(self) -> None:
        self.report.kills["sweeper"] += 1
        self.sweeper.kill()
        self.sweeper.start()

    def _wipe_broker(self) -> None:
        self.report.kills[self.broker.label] += 1
        self.broker.wipe()
        time.sleep(self.random.uniform(0.0, 1.0))
        self.broker.start()

    def _restart_postgres(self) -> None:
        assert self.postgres is not None
        self.report.kills["postgresql (crashed, restarted)"] += 1
        self.postgres.restart()

    def _fill_disk(self) -> None:
        """For a second and a half no file of theirs may grow."""
        self.report.kills["disk full (file size limit)"] += 1
        parts = (self.web, self.worker, self.sweeper)
        for part in parts:
            part.limit_files(4096)
        time.sleep(1.5)
        for part in parts:
            part.limit_files(-1)

    # --- time

    def _hurry(self) -> None:
        """Nobody waits longer than two seconds for a retry, nor one for a probe."""
        while not self._ended.wait(0.5):
            now = datetime.now(UTC)
            soon = now + timedelta(seconds=2)
            late = (jobs.c.status == "retrying", jobs.c.next_attempt_at > soon)
            paused = (target_states.c.state == "paused", target_states.c.paused_until > now + timedelta(seconds=1))
            try:
                with self.engine.begin() as connection:
                    connection.execute(jobs.update().where(*late).values(next_attempt_at=soon, knock_at=soon))
                    connection.execute(target_states.update().where(*paused).values(paused_until=now + timedelta(seconds=1)))
            except sa.exc.SQLAlchemyError:
                continue  # the database is being restarted

    def _retrying_sql(self, act: Callable[[sa.Connection], object]) -> None:
        for _ in range(100):
            try:
                with self.engine.begin() as connection:
                    act(connection)
                return
            except sa.exc.SQLAlchemyError:
                time.sleep(0.1)

    # --- accounting

    def _await_end(self, what: str) -> None:
        began = time.monotonic()
        left = Counter(self._by_status())
        while any(left[status] for status in AT_WORK):
            if time.monotonic() - began > self.plan.patience:
                self.report.faults.append(f"after {self.plan.patience:.0f} s not yet: {what}; {dict(left)}")
                for part in (self.worker, self.sweeper, self.web):
                    self.say(f"--- {part.name}\n" + "\n".join(list(part.lines)[-12:]))
                return
            time.sleep(0.5)
            left = Counter(self._by_status())
        self.report.rows.append((f"seconds until {what}", round(time.monotonic() - began, 1)))

    def _by_status(self) -> dict[str, int]:
        with self.engine.begin() as connection:
            statement = sa.select(jobs.c.status, sa.func.count().label("n")).group_by(jobs.c.status)
            return {row.status: row.n for row in connection.execute(statement)}

    def _account(self, when: str) -> None:
        with self.engine.begin() as connection:
            stored = {row.version: row for row in connection.execute(sa.select(jobs))}
        versions = set(self.accepted.values())
        failed = {version for version in versions if version in stored and stored[version].status == "failed"}
        lost = [v for v in versions if v not in failed and (v not in stored or v not in self.target.releases)]
        unexplained = [v for v in failed if not stored[v].reason or not stored[v].error]
        twice = [v for v, times in self.target.releases.items() if times > 1]
        deploys = [v for v, made in self.target.deploys.items() if len(made) > 1]
        self.report.rows += [
            (f"deliveries answered 2xx{when}", len(self.accepted)),
            (f"jobs{when}", json.dumps(dict(sorted(self._by_status().items())))),
            (f"failed, by reason{when}", json.dumps(Counter(stored[v].reason for v in failed))),
            (f"lost{when}", len(lost)),
            (f"releases created twice{when}", len(twice)),
            (f"deploys sent twice{when}", len(deploys)),
        ]
        for what, found in (
            ("lost", lost),
            ("unexplained", unexplained),
            ("created twice", twice),
            ("deployed twice", deploys),
        ):
            if found:
                self.report.faults.append(f"{what}{when}: {', '.join(sorted(found)[:5])} ({len(found)})")
        if len(versions) < self.plan.deliveries:
            self.report.faults.append(f"only {len(versions)} of {self.plan.deliveries} tags were ever taken in")

    def _replay_failed(self) -> None:
        """What failed in the storm succeeds when a person replays it in fair weather."""
        done = subprocess.run(
            python("-m", "webhook", "jobs", "replay", "--status", "failed", "--json"),
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        self.report.rows.append(("jobs replay --status failed: exit code", done.returncode))
        if done.returncode == 3:
            return
        self._await_end("every replayed job has ended")
        self._account(", after the replay")
        if (left := self._by_status().get("failed", 0)) > 0:
            self.report.faults.append(f"{left} jobs failed again in fair weather")


def table(report: Report) -> str:
    plan = report.plan
    rows: list[tuple[str, Any]] = [
        ("database, broker", f"{plan.database}, {plan.broker}"),
        ("seed", plan.seed),
        ("tags pushed", plan.deliveries),
        ("answers of the receiver", json.dumps(dict(sorted(report.statuses.items())))),
        ("kills", sum(report.kills.values())),
        *((f"  {name}", times) for name, times in sorted(report.kills.items())),
        *report.rows,
        *(("FAULT", fault) for fault in report.faults),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in rows)
