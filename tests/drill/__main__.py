"""`make drill`: prints a table and the seed to repeat it; exit code 1 when anything was lost or done twice."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys

from tests.drill.drill import Plan, run, table
from tests.drill.parts import RABBITMQ


def main() -> int:
    """Each option may come from the environment as DRILL_<NAME>."""

    def default(name: str, otherwise: str) -> str:
        return os.environ.get(f"DRILL_{name.upper()}", otherwise)

    parser = argparse.ArgumentParser(prog="make drill", description="Failure drills on real processes.")
    parser.add_argument("--deliveries", type=int, default=int(default("deliveries", "2000")))
    parser.add_argument("--kills", type=int, default=int(default("kills", "40")))
    parser.add_argument("--seed", type=int, default=int(default("seed", str(random.randrange(10_000)))))
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default=default("database", "sqlite"))
    parser.add_argument("--broker", choices=["redis", "rabbitmq"], default=default("broker", "redis"))
    plan = Plan(**vars(parser.parse_args()))
    if plan.broker == "rabbitmq" and not RABBITMQ.exists():
        print(f"drill: no RabbitMQ here ({RABBITMQ} is missing): install Debian's rabbitmq-server", file=sys.stderr)
        return 2
    print(
        f"drill: {plan.deliveries} deliveries, {plan.kills} kills, seed {plan.seed}, {plan.database}, {plan.broker}", flush=True
    )
    report = run(plan)
    print(table(report))
    print("drill: nothing was lost, nothing was done twice" if not report.faults else "drill: FAILED")
    return 1 if report.faults else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the processes started here end with this one
    sys.exit(main())
