"""P6: accepting, and every list of the pages and the API, with a million stored deliveries beside an empty database."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import receivers
from bench.databases import NewDatabase, postgresql, sqlite
from bench.filling import fill
from bench.looking import Looker
from bench.row import Result, Side, compare
from shared.domain.filters import write_cursor
from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA

_STORED = 1_000_000
_FEW = 2_000  # enough to fill every list
_ACCEPTED = 3_000  # deliveries in a run
_LOOKS = 25  # at a page in a run
_BUSIEST = "team-0/service-0"  # the repository of most of `bench/made_up.py`'s deliveries
_PAGES = (
    "/",
    "/deliveries",
    "/deliveries?status=refused",
    "/deliveries?provider=gitlab",
    f"/deliveries?provider=github&status=ignored&repository={_BUSIEST}",
    "/deliveries?repository=acme/none",
    "/deliveries?since=1h",
    "/deliveries?since=400d&status=ignored",
    f"/deliveries?cursor={write_cursor('delivery', str(_STORED // 2))}",
    "/jobs",
    "/jobs?status=failed",
    "/jobs?status=queued",
    "/jobs?status=succeeded&target=eu",
    f"/jobs?repository={_BUSIEST}&reason=target_auth",
    "/jobs?reason=target_auth",
    "/jobs?target=main&repository=acme/none&status=succeeded",
    "/jobs?since=1h&target=main",
    "/jobs?provider=gitlab",
    "/releases",
    f"/releases?target=eu&repository={_BUSIEST}",
    "/repositories",
    "/targets",
    "/rules",
    "/audit",
    "/api/v1/deliveries",
    "/api/v1/deliveries?provider=gitlab&status=ignored",
    "/api/v1/deliveries?repository=acme/none&limit=200",
    "/api/v1/deliveries?since=400d&status=ignored",
    "/api/v1/jobs",
    "/api/v1/jobs?provider=gitlab",
    "/api/v1/jobs?status=succeeded&target=eu",
    f"/api/v1/jobs?repository={_BUSIEST}&reason=target_auth&provider=gitlab",
    "/api/v1/jobs?target=main&repository=acme/none&status=succeeded",
    "/api/v1/targets",
    "/api/v1/stats",
)


def measure(runs: int) -> list[Result]:
    results: list[Result] = []
    for kind, databases in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with (
            tempfile.TemporaryDirectory(prefix="tagship-bench-") as name,
            receivers.broker(Path(name)) as broker,
            databases(Path(name)) as new_database,
        ):
            results += _compare(kind, Path(name), broker, new_database, runs)
    return results


def _compare(kind: str, folder: Path, broker: str, new_database: NewDatabase, runs: int) -> list[Result]:
    urls = {stored: _filled(kind, new_database, stored) for stored in (0, _FEW, _STORED)}
    with ExitStack() as stack:
        empty, few, full = (stack.enter_context(receivers.ours(folder, url, broker)) for url in urls.values())
        with _lookers(full, empty, few) as lookers:  # before anything is accepted: the empty one is empty
            results = [result for path in _PAGES for result in _page(kind, path, lookers, runs)]
        sides = [Side(name=name, measure=_accepting(at)) for name, at in ((f"{_STORED:,} stored", full), ("empty", empty))]
        return [compare("P6", f"accept on {kind}", "deliveries/s", *sides, runs=runs, required=0.9), *results]


def _filled(kind: str, new_database: NewDatabase, stored: int) -> str:
    url = new_database(f"stored-{stored}")
    engine = make_engine(url)
    SCHEMA.upgrade(engine)
    if stored:
        fill(engine, stored, tell=lambda done: _say(f"P6: {kind}: {done:,} stored") if done % 200_000 == 0 else None)
    engine.dispose()
    return url


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _lookers(*addresses: str) -> Iterator[list[Looker]]:
    opened = [Looker(address) for address in addresses]
    try:
        yield opened
    finally:
        for looker in opened:
            looker.close()


def _page(kind: str, path: str, lookers: list[Looker], runs: int) -> list[Result]:
    """Held against the empty database (P6), and against one that fills every list as well (P6b): an empty list costs next
    to nothing, so the first ratio also counts the lines of the page, the second one only how much more is stored."""
    names = [f"{_STORED:,} stored", "empty", f"{_FEW:,} stored"]
    figures: dict[str, list[float]] = {name: [] for name in names}
    for number in range(runs + 1):  # the first round warms up
        for turn in range(len(names)):
            at = (number + turn) % len(names)
            figure = lookers[at].median_ms(path, _LOOKS)
            if number:
                figures[names[at]].append(figure)
    case = f"{path.partition('cursor=')[0]}{'cursor=…' if 'cursor=' in path else ''} on {kind}"
    return [
        Result(
            row=row,
            case=case,
            unit="ms",
            ours=names[0],
            peer=peer,
            figures={name: figures[name] for name in (names[0], peer)},
            required=required,
            is_most=True,
        )
        for row, peer, required in (("P6", names[1], 2.0), ("P6b", names[2], None))
    ]


def _accepting(address: str) -> Callable[[], float]:
    send = receivers.sender(address, _ACCEPTED)
    return lambda: send().rate
