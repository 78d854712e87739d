"""`python -m shared.forges.large_body_reader`: the process that reads large bodies for a web, worker or sweeper process."""

from __future__ import annotations

from shared.forges.reading import answer
from shared.infra.helper_process import serve

_MEMORY = 1024 * 1024 * 1024  # GitHub's largest push takes 250 MiB
_CPU_SECONDS = 20  # that push takes one
_IDLE_SECONDS = 60.0

if __name__ == "__main__":
    serve(answer, memory=_MEMORY, cpu_seconds=_CPU_SECONDS, idle_seconds=_IDLE_SECONDS)
