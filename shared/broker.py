"""The broker's side: one Celery app for all processes, one message shape, and the knock that never holds anyone up.

A message is a hint that job rows are due. It may be lost, doubled or late; the row is the truth (docs/decisions/0001).
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from celery import Celery
from kombu.entity import Exchange, Queue

from shared.domain.reasons import Reason
from shared.infra import logs

TASK = "tagship.run_jobs"  # one stable name and one argument (a list of job ids), so that a rolling deploy drops nothing
QUEUE = "tagship"
LARGEST_KNOCK = 16  # ids in one message: a burst costs the broker and the worker one message for many jobs
_PROBE = "tagship.probe"
_LOOK_EVERY_SECONDS = 5.0
_WAITING = 20_000
_PAUSE_SECONDS = 1.0
# A message costs as much as half a request. What comes soon after another knock waits for company; a lone one never does.
_BUSY_SECONDS = 0.05
_GATHER_SECONDS = 0.03

logger = logs.get(__name__)


def make_celery(broker_url: str | None) -> Celery:
    """The Celery app. Without a broker it can be built all the same; publishing then fails at once."""
    address, more = _split_sentinels(broker_url or "redis://127.0.0.1:1/0")
    app = Celery("tagship", broker=address)
    app.conf.update(
        # Reads and connects are bounded: kombu's own defaults wait for ever on a server that accepts and stays silent.
        broker_transport_options=_transport_options(broker_url or "redis://") | more,
        broker_connection_timeout=3,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # the default gives up after 100 tries
        broker_channel_error_retry=True,  # a failover that answers READONLY would end the worker for good
        broker_pool_limit=4,
        broker_pool_acquire_timeout=2,  # the default waits for ever when every thread publishes into a dead broker
        task_publish_retry=False,  # a publish of unclear outcome is left to the sweeper
        # Nothing is acknowledged (see _make_queue). Late ones would kill the worker when the broker restarts and run a
        # task twice when a connection drops; the lease in SQL does what redelivery would.
        task_acks_late=False,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        result_backend=None,
        task_serializer="json",
        accept_content=["json"],
        task_default_queue=QUEUE,
        task_queues=[_make_queue()],
        task_create_missing_queues=False,
        task_routes={TASK: {"queue": QUEUE}},
        worker_prefetch_multiplier=1,
        # Redis: a message is taken only when a thread is free. RabbitMQ hands its whole queue out, some hundred messages at
        # most; what one worker cannot begin the sweeper knocks for again two seconds later, and another one begins it.
        worker_disable_prefetch=_is_redis(broker_url),
        worker_send_task_events=False,
        task_send_sent_event=False,
        worker_disable_rate_limits=True,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,  # nobody asks; it costs a connection and keys in Redis
        enable_utc=True,
    )
    return app


def _is_redis(broker_url: str | None) -> bool:
    return broker_url is None or broker_url.startswith(("redis", "sentinel"))


def _split_sentinels(broker_url: str) -> tuple[str, dict[str, str]]:
    """kombu reads the name of the master from its options, and the number of the database from each address."""
    address, _, query = broker_url.partition("?")
    if not address.startswith("sentinel://"):
        return broker_url, {}
    database = urlsplit(address.rpartition(";")[2]).path
    each = [part if urlsplit(part).path.strip("/") else part.rstrip("/") + database for part in address.split(";")]
    return ";".join(each), {"master_name": parse_qs(query)["master_name"][0]}


def _make_queue() -> Queue:
    """A message is gone once it is taken: nothing is acknowledged, for the row holds the work.

    On Redis, Celery 5.7 swallows an acknowledgement that fails because the broker went away and never frees its slot; with
    all slots lost it consumes nothing any more, and says nothing. On RabbitMQ the pool's threads would write theirs into
    one connection at once, which garbles it, with the same end. Both were seen in drills.
    """
    exchange = Exchange(QUEUE, type="direct")  # type: ignore[no-untyped-call]
    return Queue(QUEUE, exchange, routing_key=QUEUE, no_ack=True)  # type: ignore[no-untyped-call]


def _transport_options(broker_url: str) -> dict[str, Any]:
    if _is_redis(broker_url):
        return {
            "socket_timeout": 5,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "max_retries": 0,  # how long one failed publish blocks: at once instead of seconds
            "visibility_timeout": 600,  # shorter than an hour: doubling is harmless, waiting is not
            "global_keyprefix": "tagship:",
            "client_name": "tagship",
        }
    return {"connect_timeout": 3, "read_timeout": 5, "write_timeout": 5, "confirm_publish": True, "max_retries": 0}


def publish(app: Celery, job_ids: Sequence[str], *, is_busy: bool) -> None:
    """Send the ids in as few messages as leaves work for several workers; when it is busy, they have work enough.

    Raises what the broker's client raises.
    """
    size = LARGEST_KNOCK if is_busy else min(LARGEST_KNOCK, max(1, len(job_ids) // 4))
    with app.producer_pool.acquire(block=True, timeout=2) as producer:
        for start in range(0, len(job_ids), size):
            ids = list(job_ids[start : start + size])
            # Celery would write the arguments out for its logs: a third of what a message costs.
            app.send_task(TASK, args=(ids,), producer=producer, retry=False, ignore_result=True, argsrepr="", kwargsrepr="")


def queue_length(app: Celery) -> int:
    """How many messages wait at the broker. Raises what the broker's client raises."""
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=3)
        # Declared as Celery declares it. A passive declare would do, but kombu's Redis transport forgets the key
        # prefix there (EXISTS is not among its prefixed commands) and says that no queue exists.
        declared = connection.default_channel.queue_declare(queue=QUEUE, durable=True, auto_delete=False)
        return int(declared.message_count)


def check_broker(app: Celery) -> None:
    """Write to the broker: one that only reads, or is full, takes no message either. Raises what the broker's client raises."""
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=3)
        channel = connection.default_channel
        if (acquire := getattr(channel, "conn_or_acquire", None)) is not None:  # Redis
            with acquire() as client:
                client.set(_PROBE, b"1", ex=60)
        else:  # no queue takes it: the broker confirms it, and drops it
            channel.basic_publish(channel.prepare_message(b""), exchange="", routing_key=_PROBE, timeout=3)


class BrokerWatch:
    """Whether the broker is down: looked at when somebody asks, at most once in five seconds, by one thread at a time."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._look_at = 0.0
        self._is_down = False

    def is_down(self) -> bool:
        if time.monotonic() >= self._look_at and self._lock.acquire(blocking=False):
            try:
                check_broker(self._app)
                self._is_down = False
            except Exception:  # whatever the broker's client raises
                self._is_down = True
            finally:
                self._look_at = time.monotonic() + _LOOK_EVERY_SECONDS
                self._lock.release()
        return self._is_down


class Notifier:
    """Knocks from a thread of its own, so that no request ever waits for the broker.

    What cannot be sent is dropped: the row is committed, and the sweeper knocks for it.
    """

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._waiting: deque[str] = deque()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._is_down = False
        self._wake = threading.Event()
        self._stopping = threading.Event()

    def notify(self, job_ids: Iterable[str]) -> None:
        """Hand ids over; returns at once. Call it after the commit only."""
        self._start()
        room = _WAITING - len(self._waiting)
        self._waiting.extend(itertools.islice(job_ids, max(0, room)))
        if not self._wake.is_set():  # under load it is set already: waking the thread for each id cost more than the ids
            self._wake.set()

    def stop(self, timeout: float = 5.0) -> None:
        """Send what waits, then end the thread."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _start(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        sent_at = 0.0
        while not self._stopping.is_set() or self._waiting:
            self._wake.wait()
            if is_busy := time.monotonic() - sent_at < _BUSY_SECONDS:
                self._stopping.wait(_GATHER_SECONDS)
            self._wake.clear()  # before looking: what comes after the look wakes again
            while batch := self._take(256):
                self._send(batch, is_busy)
                sent_at = time.monotonic()

    def _take(self, most: int) -> list[str]:
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def _send(self, job_ids: list[str], is_busy: bool) -> None:
        try:
            publish(self.app, job_ids, is_busy=is_busy)
        except Exception as problem:  # whatever the broker's client raises: the sweeper covers it
            if not self._is_down:
                logger.warning("knock.failed", reason=Reason.BROKER_DOWN, error=type(problem).__name__, jobs=len(job_ids))
            self._is_down = True
            self._stopping.wait(_PAUSE_SECONDS)  # one try a second into a dead broker is plenty
        else:
            if self._is_down:
                logger.info("knock.resumed")
            self._is_down = False
