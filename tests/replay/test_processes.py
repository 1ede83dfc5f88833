"""Work in several processes: order, exceptions, and processes that die."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from pipelines.replay.progress import PROGRESS
from towpath.replay.processes import ProcessDiedError, Processes


def square(number: int) -> int:
    """Count a user, and return the square."""
    PROGRESS.add("users", number)
    return number * number


def read(number: int) -> None:
    """Count records."""
    PROGRESS.add("read", number)


def fail_at(last: int, number: int) -> int:
    """Fail for one number."""
    if number == last:
        raise OSError(28, "No space left on device")
    return number


def die_at(last: int, number: int) -> int:
    """Die for one number, as from the system's lack of memory."""
    if number == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def hold(path: str, number: int) -> None:
    """Lock a file for as long as this process lives."""
    with Path(path).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        print(number, flush=True)
        signal.pause()


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_results_have_the_order_of_the_items(processes: int) -> None:
    """Results are in the order of the items, and counts are over all processes."""
    heard: dict[str, int] = {}
    with Processes(processes, heard.__setitem__) as pool:
        assert pool.run(square, range(10)) == [n * n for n in range(10)]
        assert heard == {"users": 45}
        assert pool.run(square, []) == []
        assert pool.run(square, [4]) == [16]

    assert heard == {"users": 49}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_phase_that_is_over_is_not_reported_again(processes: int) -> None:
    """The listener hears only of the phase that goes on."""
    heard: list[str] = []
    with Processes(processes, lambda phase, _: heard.append(phase)) as pool:
        pool.run(read, [1, 2])
        heard.clear()
        pool.run(square, [1, 2])

    assert set(heard) == {"users"}


@pytest.mark.parametrize("processes", [1, 2])
def test_an_exception_is_raised_here(processes: int) -> None:
    """An exception of the work is raised, and the other processes end."""
    with Processes(processes, print) as pool, pytest.raises(OSError, match="No space left"):
        pool.run(partial(fail_at, 3), range(20))


def test_a_process_that_is_killed_is_reported() -> None:
    """A killed process ends the run; nothing waits for its result."""
    with Processes(2, print) as pool, pytest.raises(ProcessDiedError, match="exit code -9"):
        pool.run(partial(die_at, 3), range(20))


def test_no_process_outlives_the_one_that_started_it(tmp_path: Path) -> None:
    """If the first process is killed, the others end by themselves."""
    path = tmp_path / "lock"
    code = (
        "import sys; from functools import partial; from tests.replay.test_processes import hold; "
        "from towpath.replay.processes import Processes; "
        "Processes(2, print).run(partial(hold, sys.argv[1]), [1, 2])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert {first.stdout.readline(), first.stdout.readline()} == {"1\n", "2\n"}
        first.kill()

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # waits until no process holds it
