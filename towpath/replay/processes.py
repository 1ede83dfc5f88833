"""Runs the pieces of a replay in several processes, and counts what they have done.

A process that is killed is reported, and none outlives the one that started it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from pipelines.replay.garbage import few_collections
from pipelines.replay.progress import PROGRESS

PHASES = ("read", "users")
"""The phases that processes count, in their shared array."""

INTERVAL = 0.5
Listener = Callable[[str, int], None]
Work = Callable[[Any], Any]


class ProcessDiedError(Exception):
    """A process ended before its work was done; the system may have ended it for want of memory."""


class Processes:
    """Processes that stay for all phases of a replay; one does the work in this process.

    ``listener`` gets a phase and how much of it is done over all processes.
    """

    def __init__(self, count: int, listener: Listener) -> None:
        self._listener = listener
        self._running: dict[Connection, SpawnProcess] = {}
        self._reported: dict[str, int] = {}
        if count <= 1:
            return
        context = get_context("spawn")
        self._counts: Any = context.Array("Q", len(PHASES))
        for _ in range(count):
            here, there = context.Pipe()
            process = context.Process(target=_take_items, args=(there, self._counts), daemon=True)
            process.start()
            there.close()  # so that the end of the process is the end of the pipe
            self._running[here] = process

    def __enter__(self) -> Processes:
        if not self._running:
            PROGRESS.start(self._listener)
        return self

    def __exit__(self, *_: object) -> None:
        PROGRESS.start(None)
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.join()

    def run(self, work: Work, items: Iterable[Any]) -> list[Any]:
        """Run the work on each item, and return the results in the order of the items.

        An exception of the work is raised here; a process that dies raises ``ProcessDiedError``.
        """
        if not self._running:
            return [work(item) for item in items]
        left = enumerate(items)
        results: dict[int, Any] = {}
        expected = sum(self._give(connection, work, left) for connection in self._running)
        while len(results) < expected:
            for ready in wait(list(self._running), INTERVAL):
                assert isinstance(ready, Connection)
                number, results[number] = self._receive(ready)
                expected += self._give(ready, work, left)
            self._report()
        return [results[number] for number in range(expected)]

    def _give(self, connection: Connection, work: Work, left: Iterator[tuple[int, Any]]) -> bool:
        """Give a process the next item; False if there is none left."""
        for number, item in left:
            try:
                connection.send((number, work, item))
            except OSError:
                raise self._died(connection) from None
            return True
        return False

    def _receive(self, connection: Connection) -> tuple[int, Any]:
        try:
            found = connection.recv()
        except (EOFError, OSError):
            raise self._died(connection) from None
        if isinstance(found, BaseException):
            raise found
        number, result = found
        return number, result

    def _died(self, connection: Connection) -> ProcessDiedError:
        process = self._running[connection]
        process.join()
        return ProcessDiedError(f"exit code {process.exitcode}")

    def _report(self) -> None:
        # Without the lock: a process that was killed may hold it.
        for phase, done in zip(PHASES, self._counts.get_obj(), strict=True):
            if done > self._reported.get(phase, 0):
                self._reported[phase] = done
                self._listener(phase, done)


def _take_items(parent: Connection, counts: Any) -> None:
    """Work on each item that the parent gives; it gets the result, or the exception."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    PROGRESS.start(_counter(counts))
    with few_collections():
        while True:
            try:
                number, work, item = parent.recv()
                result = work(item)
            except BaseException as error:
                _send_error(parent, error)
                return
            parent.send((number, result))


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
