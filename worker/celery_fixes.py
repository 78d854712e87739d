"""What Celery 5.7 offers no setting for."""

from __future__ import annotations

import logging

from celery.apps import worker as celery_worker
from celery.worker.consumer.tasks import Tasks


def apply() -> None:
    """Call it once, before the worker starts."""
    # Celery limits the messages of a whole channel. RabbitMQ's quorum queues refuse that, and the worker would begin again
    # for ever.
    # Ours are never acknowledged, so that RabbitMQ counts none of them in any case.
    Tasks.qos_global = lambda _self, _consumer: False
    celery_worker.safe_say = lambda *_, **__: None  # plain text among lines of JSON, written in a signal handler
    logging.getLogger("celery.worker.consumer.consumer").addFilter(OncePerOutage())


class OncePerOutage(logging.Filter):
    """Of the lines that Celery writes for each try to reach a broker that is away, the first; without its trace."""

    _is_away = False

    def filter(self, record: logging.LogRecord) -> bool:
        text = str(record.msg)
        if "Connected to" in text:
            self._is_away = False
        elif "Cannot connect to" in text or "Connection to broker lost" in text:
            was, self._is_away = self._is_away, True
            record.exc_info = record.exc_text = None
            return not was
        return True
