"""`make fuzz`: odd requests at every door until the time is up; exit code 1 on any finding, which is then kept in a file."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz import servers
from tests.fuzz.campaign import MOST_GROWTH, Campaign, Report
from tests.fuzz.requests import FINDINGS

TURN = (1_000, 200, 100)  # payloads, API calls, configurations
WIDTH = 30


def main() -> int:
    """FUZZ_SECONDS of it, or FUZZ_PAYLOADS payloads (and a fifth as many calls), with FUZZ_SEED."""
    seconds = float(os.environ.get("FUZZ_SECONDS", "600"))
    wanted = int(os.environ.get("FUZZ_PAYLOADS", "0"))
    seed = int(os.environ.get("FUZZ_SEED", "1"))
    started = time.monotonic()

    def share() -> float:
        return campaign.report.payloads / wanted if wanted else (time.monotonic() - started) / seconds

    with tempfile.TemporaryDirectory(prefix="tagship-fuzz-") as folder:
        campaign = Campaign(servers.start(Path(folder)), seed, keep=FINDINGS)
        try:
            while share() < 1:
                campaign.run(*TURN, go_on=lambda: bool(wanted) or share() < 1)
                draw(min(1.0, share()), campaign.report)
        except KeyboardInterrupt:
            pass
        finally:
            report = campaign.conclude()
    print(file=sys.stderr)
    print(summary(report, seed, time.monotonic() - started))
    return 1 if report.findings else 0


def draw(share: float, report: Report) -> None:
    """One line that is drawn over on a terminal; elsewhere a line at each tenth."""
    bar = "#" * round(share * WIDTH)
    text = (
        f"[{bar:<{WIDTH}}] {share:4.0%}  {report.payloads:,} payloads, {report.calls:,} calls, {len(report.findings)} findings"
    )
    if sys.stderr.isatty():
        print(f"\r{text}", end="", file=sys.stderr, flush=True)
    elif int(share * 10) > draw.__dict__.get("told", -1):
        draw.__dict__["told"] = int(share * 10)
        print(text, file=sys.stderr, flush=True)


def summary(report: Report, seed: int, seconds: float) -> str:
    statuses = ", ".join(f"{status or 'none'}: {count:,}" for status, count in sorted(report.statuses.items()))
    lines = [
        f"fuzz: {report.payloads:,} payloads, {report.calls:,} API calls, {report.configs:,} configurations, "
        f"{seconds:.0f} s, seed {seed}",
        f"answers    {statuses}",
        f"slowest    {report.slowest:.2f} s"
        + (f" ({report.slow_once} late once, not when repeated)" if report.slow_once else ""),
    ]
    for name, (first, most) in report.growth.items():
        lines.append(f"memory     {name}: {first >> 20} MiB, at most {most >> 20} MiB (may grow by {MOST_GROWTH >> 20} MiB)")
    lines += [f"FOUND      {finding}" for finding in report.findings[:50]]
    lines.append(
        f"fuzz: {len(report.findings)} findings" + ("; their requests are in tests/fuzz/findings" if report.findings else "")
    )
    return "\n".join(lines)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the processes started here end with this one
    sys.exit(main())
