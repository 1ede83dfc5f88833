"""The controller's heartbeat: every second or two it says until when the control log is complete.

It is also what makes the controller the only one: each declaration is made on top of the last, so
a second controller cannot start while the first one lives, and one that was replaced ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from towpath.control.store import AHEAD, NOT_SERVED, Conflict, ControlStore, Held
from transforms.flows.catalog.epochs import NEVER
from transforms.sources.control_log.log import LogError

Clock = Callable[[], int]
"""The time, in ms since 1970."""

BEAT = 1.0
"""Seconds between two beats."""

SLOW_BEAT = 2.0
"""The same for a log in Cloud Storage, where an object may be replaced once a second."""

SILENT = 3
"""For how many beats another controller must have been silent."""

STALLED = 10 * 60_000
"""After so long without a decision of the controller the heart stops: it must not hide the fault."""


class Refused(Exception):
    """The log cannot be served: another controller does, or it takes no records."""


def beat_of(address: str) -> float:
    """Return the seconds between two beats for the log at an address."""
    return SLOW_BEAT if address.startswith("gs://") else BEAT


def claim(
    store: ControlStore, clock: Clock, pause: Callable[[float], object], beat: float = BEAT
) -> Held:
    """Wait until no other controller is alive, and return the log; raise Refused if one is.

    One that was killed has just declared something, but declares nothing more.
    """
    held = store.read()
    if held.complete_until >= NEVER:
        raise Refused(NOT_SERVED)
    silent, waited = round(SILENT * beat * 1000), 0
    while clock() + AHEAD - held.complete_until < silent and waited < silent:
        pause(beat)
        waited += round(beat * 1000)
        now = store.read()
        if now.complete_until != held.complete_until:
            raise Refused("another controller serves this log; end it first")
    return held


class Heart:
    """Declares the log complete until now; ``beat`` once, or ``start`` a thread.

    ``lost`` says why it ended for good, ``trouble`` why the last beat failed.
    """

    def __init__(self, store: ControlStore, held: Held, clock: Clock, beat: float = BEAT) -> None:
        self._store = store
        self._held = held
        self._clock = clock
        self._beat = beat
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen = clock()
        self.lost: str | None = None
        self.trouble: str | None = None

    @property
    def complete_until(self) -> int:
        """The instant that was declared last."""
        return self._held.complete_until

    def seen(self) -> None:
        """Note that the controller works."""
        self._seen = self._clock()

    def beat(self) -> None:
        """Declare the log complete until a moment ahead."""
        now = self._clock()
        if now - self._seen > STALLED:
            self.trouble = "the controller has decided nothing for ten minutes"
            return
        try:
            self._held = self._store.complete(self._held, now + AHEAD)
            self.trouble = None
        except Conflict:
            self.lost = "another controller serves this log"
        except LogError as error:
            self.trouble = str(error)
            self._reread(now + AHEAD)

    def _reread(self, tried: int) -> None:
        """After an error: the instant may have been written, or not."""
        try:
            now = self._store.read()
        except LogError:
            return
        if now.complete_until in (self._held.complete_until, tried):
            self._held = now
        else:
            self.lost = "another controller serves this log"

    def start(self) -> None:
        """Beat in the background, until it is stopped or lost."""
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while self.lost is None and not self._stopped.wait(self._beat):
            try:
                self.beat()
            except Exception as error:  # otherwise the thread would die unnoticed
                self.trouble = f"{type(error).__name__}: {error}"
