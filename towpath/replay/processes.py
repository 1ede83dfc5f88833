"""Runs the pieces of a replay in several processes, and counts what they have done.

A process that is killed is reported, and none outlives the one that started it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from pipelines.replay.progress import PROGRESS

PHASES = ("read", "users")
"""The phases that processes count, in their shared array."""

INTERVAL = 0.5
Listener = Callable[[str, int], None]
Work = Callable[[Any], Any]


class ProcessDiedError(Exception):
    """A process ended before its work was done; the system may have ended it for want of memory."""


def run_all(work: Work, items: Sequence[Any], processes: int, listener: Listener) -> list[Any]:
    """Run the work on each item, and return the results in the order of the items.

    ``listener`` gets a phase and how much of it is done over all processes. An exception of the
    work is raised here; a process that dies raises ``ProcessDiedError``.
    """
    if min(processes, len(items)) <= 1:
        PROGRESS.start(listener)
        try:
            return [work(item) for item in items]
        finally:
            PROGRESS.start(None)
    return _Pool(work, items, min(processes, len(items)), listener).run()


class _Pool:
    """The processes of one phase; each takes the next item until none is left."""

    def __init__(self, work: Work, items: Sequence[Any], count: int, listener: Listener) -> None:
        context = get_context("spawn")
        self._listener = listener
        self._counts: Any = context.Array("Q", len(PHASES))
        self._results: dict[int, Any] = {}
        self._size = len(items)
        self._running: dict[Connection, SpawnProcess] = {}
        # Kept: a process that starts opens its lock by name.
        self._following = context.Value("Q", 0)
        for _ in range(count):
            here, there = context.Pipe(duplex=False)
            process = context.Process(
                target=_take_items,
                args=(work, items, self._following, self._counts, there),
                daemon=True,
            )
            process.start()
            there.close()  # so that the end of the process is the end of the pipe
            self._running[here] = process

    def run(self) -> list[Any]:
        try:
            while self._running:
                for ready in wait(list(self._running), INTERVAL):
                    assert isinstance(ready, Connection)
                    self._receive(ready)
                self._report()
            return [self._results[number] for number in range(self._size)]
        finally:
            for process in self._running.values():
                process.terminate()
            for process in self._running.values():
                process.join()

    def _receive(self, connection: Connection) -> None:
        """Take a result; None is the end of a process whose work is done."""
        try:
            found = connection.recv()
        except EOFError:
            process = self._running[connection]
            process.join()
            raise ProcessDiedError(f"exit code {process.exitcode}") from None
        if found is None:
            self._running.pop(connection).join()
        elif isinstance(found, BaseException):
            raise found
        else:
            number, result = found
            self._results[number] = result

    def _report(self) -> None:
        for phase, done in zip(PHASES, self._counts, strict=True):
            if done:
                self._listener(phase, done)


def _take_items(
    work: Work, items: Sequence[Any], following: Any, counts: Any, results: Connection
) -> None:
    """Work on the next item until none is left; the parent gets each result, or the exception."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    PROGRESS.start(_counter(counts))
    try:
        while True:
            with following.get_lock():
                number = following.value
                following.value += 1
            if number >= len(items):
                break
            results.send((number, work(items[number])))
    except BaseException as error:
        _send_error(results, error)
        return
    results.send(None)


def _send_error(results: Connection, error: BaseException) -> None:
    try:
        results.send(error)
    except Exception:  # some exceptions cannot be pickled
        results.send(RuntimeError(f"{type(error).__name__}: {error}"))


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _counter(counts: Any) -> Listener:
    """Return a listener that adds what this process has done to the shared counts."""
    before = dict.fromkeys(PHASES, 0)

    def count(phase: str, total: int) -> None:
        with counts.get_lock():
            counts[PHASES.index(phase)] += total - before[phase]
        before[phase] = total

    return count
