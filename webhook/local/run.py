"""`make run`: the whole stack until Ctrl-C or SIGTERM."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading

from shared.config.env_files import is_set, read_env_file
from shared.domain.provider_settings import NO_APIS
from shared.infra.network import url_host
from shared.infra.shutdown import set_on
from webhook.local.stack import ROOT, Stack, build
from webhook.local.supervisor import StackFailed, Supervisor


def run() -> int:
    """Start, say so, keep running. The exit code: 0 when a person stopped it, 1 with the reason otherwise."""
    environ = {**read_env_file(ROOT / ".env"), **os.environ}
    if is_set(environ, "SAMPLES"):  # their repositories exist nowhere: nobody is asked about them
        environ = {**NO_APIS, **environ}
    stack = build(environ, is_terminal=sys.stdout.isatty())
    for note in stack.notes:
        say(note)
    supervisor = Supervisor(stack.parts, say=say)
    stop_on_signals(supervisor)
    try:
        supervisor.start()
        if not supervisor.stopping.is_set():
            url = f"http://{url_host(stack.settings.host)}:{stack.settings.port}"
            say(f"ready: {url}")
            if is_set(environ, "SAMPLES"):
                _send_samples(stack, url, supervisor)
        supervisor.watch()
    except StackFailed as problem:
        say(f"tagship: stopping everything: {problem}")
        return 1
    finally:
        supervisor.stop()
    say("stopped")
    return 0


def _send_samples(stack: Stack, url: str, supervisor: Supervisor) -> None:
    from webhook.local.sample_steps import send_samples  # a stack without samples needs no HTTP client

    threading.Thread(target=send_samples, args=(stack, url, say, supervisor.stopping), daemon=True).start()


def stop_on_signals(supervisor: Supervisor) -> None:
    """Ctrl-C, SIGTERM and a closed terminal end the stack in order."""
    set_on(supervisor.stopping, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


def say(line: str) -> None:
    """One line, at once, also into a pipe; a reader that went away does not end the stack."""
    with contextlib.suppress(BrokenPipeError, ValueError):
        print(line, flush=True)
