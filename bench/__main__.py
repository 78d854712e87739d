"""`python -m bench [ROW...]`: measures the rows named, or all, and prints their ratios."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable

from bench import accept, chart, growth, machine, memory, p4, p5, p6, p7, p8, p9, page, report, scale
from bench.row import Result

ROWS: dict[str, Callable[[int], list[Result]]] = {
    "P1": accept.p1,
    "P2": accept.p2,
    "P3": accept.p3,
    "P4": p4.measure,
    "P5": p5.measure,
    "P6": p6.measure,
    "P7": p7.measure,
    "P8": p8.measure,
    "P9": p9.measure,
}
APART: dict[str, Callable[[int], list[Result]]] = {"MEMORY": memory.measure}  # long, and asked for by name alone


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks as ratios, with their peers.")
    parser.add_argument(
        "rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; none: all. Also MEMORY, and GROWTH or SCALE alone"
    )
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each side (default 5)")
    options = parser.parse_args()
    if [row.upper() for row in options.rows] == ["GROWTH"]:
        points = growth.measure()
        growth.save(points, machine.describe())
        page.save()
        print(growth.table(points))
        return 0
    if [row.upper() for row in options.rows] == ["SCALE"]:
        steps = scale.measure()
        scale.save(steps, machine.describe())
        page.save()
        print(scale.table(steps))
        return 0
    rows = [row.upper() for row in options.rows] or list(ROWS)
    if unknown := [row for row in rows if row not in ROWS and row not in APART]:
        parser.error(f"there is no row {', '.join(unknown)}")
    results: list[Result] = []
    for row in rows:
        measured = (ROWS | APART)[row](options.runs)
        report.save(measured, machine.describe())
        chart.save()
        page.save()
        results += measured
    print(report.table(results))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the processes started here end with this one
    sys.exit(main())
