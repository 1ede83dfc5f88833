"""The process of the controller: its loop, its signals from the system, its lines on stderr."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from towpath.control.serve import Controller
from towpath.control.serve_heart import Heart
from transforms.hosting.settings import system_clock

STATUS = 60_000
"""How often a line about the state of the controller is written, in ms."""


class Lines:
    """Writes events as JSON, one a line, with the time and the level."""

    def __init__(
        self, stream: TextIO = sys.stderr, clock: Callable[[], int] = system_clock
    ) -> None:
        self._stream = stream
        self._clock = clock

    def __call__(self, event: str, *, level: str = "info", **fields: Any) -> None:
        at = datetime.fromtimestamp(self._clock() / 1000, UTC)
        line = {"time": at.isoformat(timespec="milliseconds"), "level": level, "event": event}
        self._stream.write(msgspec.json.encode(line | fields).decode() + "\n")
        self._stream.flush()


def ended_by_system() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    return stopped


def run(
    controller: Controller, heart: Heart, stopped: threading.Event, every: float, log: Lines
) -> int:
    """Run rounds until the process is ended; return 1 if another controller took over."""
    heart.beat()
    heart.start()
    log("started")
    trouble, said_at = None, 0
    try:
        while heart.lost is None:
            controller.tick(system_clock)
            heart.seen()
            if heart.trouble != trouble and heart.trouble is not None:
                log("log_not_completed", level="error", detail=heart.trouble)
            trouble = heart.trouble
            if system_clock() - said_at >= STATUS:
                said_at = system_clock()
                log("status", complete_until=heart.complete_until, **controller.status())
            if stopped.wait(every):
                break
    finally:
        heart.stop()
        controller.close()
    if heart.lost is not None:
        log("replaced", level="error", detail=heart.lost)
        return 1
    log("ended")
    return 0


def run_once(controller: Controller, heart: Heart, log: Lines) -> int:
    """Run a single round."""
    heart.beat()
    try:
        controller.tick(system_clock)
        if heart.lost is None:
            log("status", complete_until=heart.complete_until, **controller.status())
    finally:
        controller.close()
    return 1 if heart.lost is not None or heart.trouble is not None else 0
