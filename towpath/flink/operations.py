"""Submits a job, and replaces a job by another one with its state.

A job is replaced in three steps: stop with a savepoint, submit from it, wait for the first checkpoint.
Until that checkpoint nothing of the new job is visible, so the old one can still continue from the
savepoint: nothing is lost and nothing is there twice.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from towpath.flink.environment import Environment
from towpath.flink.errors import FlinkError, Unreachable, reason_of
from towpath.flink.rest import ENDED, Rest
from towpath.flink.target import Say, Submission, Target

ATTEMPTS = 3
"""How many times a new job may fail before it counts as broken."""
PAUSE = 0.5


class NotReplaced(FlinkError):
    """A job was stopped, but its replacement does not run.

    ``savepoint`` has the state of its users; ``job`` is the old one, if it was submitted again. If the
    outputs of the new one are ``visible``, its last checkpoint takes the place of the savepoint. It is
    ``unknown`` whether the new one runs if the JobManager no longer answers.
    """

    def __init__(
        self,
        message: str,
        savepoint: str,
        job: str | None = None,
        *,
        visible: bool = False,
        unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.savepoint = savepoint
        self.job = job
        self.visible = visible
        self.unknown = unknown


def start_job(
    target: Target,
    name: str,
    submission: Submission,
    begin: str | None,
    say: Say,
    *,
    fresh: bool = False,
) -> str:
    """Submit a job and wait until it runs; return its id.

    A job that was submitted before needs a place to ``begin`` with, unless it is to begin ``fresh``.
    """
    others = [job for job in target.active() if job.name == name]
    if others:
        raise FlinkError(
            f"a job {name} is {others[0].state.lower()} already: two would share their consumer "
            "group and transactions. Replace it with `towpath flink upgrade`, or give another --name"
        )
    before = target.remembered().get(name)
    if before is not None and begin is None and not fresh:
        last = "".join(f"; the last savepoint is {path}" for path in target.savepoints()[-1:])
        raise FlinkError(
            f"{name} was submitted before. Begin with a savepoint or checkpoint (--from PATH{last}), or "
            "with empty states (--fresh): then it reads the topics from their beginning and publishes "
            "again what it has published"
        )
    check_slots(target.rest, submission.parallelism, 0)
    job = target.submit(submission, begin)
    target.remember(name, submission)
    say(f"submitted {name} ({job}); waiting until it runs")
    try:
        wait_until_good(target.rest, job, checkpoints=0)
    except Unreachable:
        raise
    except FlinkError as error:
        _cancel(target.rest, job)
        target.remember(name, before)
        raise FlinkError(f"{error}. It was cancelled") from None
    return job


class Replacement(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What replaces a job: ``old`` is how that was submitted, if it is known.

    With ``code``, the new one may have other code. ``folder`` is where savepoints go.
    """

    name: str
    new: Submission
    old: Submission | None
    code: bool = False
    folder: str | None = None


def replace_job(target: Target, job: str, by: Replacement, say: Say) -> tuple[str, str]:
    """Replace a job; return the id of the new one, and the savepoint.

    Raises NotReplaced if the new one does not get to its first checkpoint.
    """
    check_slots(target.rest, by.new.parallelism, slots_of(target.rest, job))
    _ = Environment(Path(by.new.environment)).packages  # without it, no job could be submitted
    if by.code and target.local is not None and (dead := target.local.dead()):
        raise FlinkError(f"{', '.join(dead)} has ended: start it again with `towpath flink start`")
    say(f"stopping {by.name} with a savepoint")
    saved = target.rest.stop(job, by.folder)
    say(f"stopped; the savepoint is {saved}")
    try:
        return _begin(target, by, saved, say), saved
    except _Visible as error:
        raise NotReplaced(str(error), error.checkpoint, visible=True) from None
    except Unreachable as error:  # the old job must not run beside the new one
        raise NotReplaced(str(error), saved, unknown=True) from None
    except FlinkError as error:
        raise _taken_back(target, by, saved, str(error), say) from None


def _taken_back(target: Target, by: Replacement, saved: str, why: str, say: Say) -> NotReplaced:
    """Go back, unless the new job may run; return what to raise."""
    try:
        return NotReplaced(why, saved, _go_back(target, by, saved, say))
    except Unreachable as error:
        return NotReplaced(f"{why}; {error}", saved, unknown=True)


class _Visible(FlinkError):
    """A new job failed after a checkpoint, with which its outputs have become visible."""

    def __init__(self, message: str, checkpoint: str) -> None:
        super().__init__(message)
        self.checkpoint = checkpoint


def _begin(target: Target, by: Replacement, saved: str, say: Say) -> str:
    if by.code:
        _renew(target, by.new, say)
    job = target.submit(by.new, saved)
    target.remember(by.name, by.new)
    say(f"submitted again ({job}); waiting for its first checkpoint")
    try:
        wait_until_good(target.rest, job, checkpoints=1)
    except Unreachable:
        raise
    except FlinkError as error:
        _cancel(target.rest, job)
        if target.rest.completed(job):
            last = target.rest.checkpoints(job)["latest"]["completed"]
            raise _Visible(str(error), str(last["external_path"])) from None
        target.remember(by.name, by.old)
        raise
    return job


def _go_back(target: Target, by: Replacement, saved: str, say: Say) -> str | None:
    """Submit the old job from its savepoint; return None if that fails, too.

    Raises Unreachable if another job may run.
    """
    if any(one.name == by.name for one in target.active()):
        raise Unreachable(f"a job {by.name} runs")  # its submission was reported as failed
    if by.old is None:
        return None
    say("the new job does not work; starting the old one again")
    try:
        if by.new.environment != by.old.environment:
            _renew(target, by.old, say)
        job = target.submit(by.old, saved)
        wait_until_good(target.rest, job, checkpoints=0)
    except Unreachable:
        raise
    except FlinkError as error:
        say(f"the old job does not start either: {error}")
        return None
    return job


def _renew(target: Target, submission: Submission, say: Say) -> None:
    """Restart the processes of a local cluster that run no other job: they keep the code they loaded."""
    if target.local is None:
        say("TaskManagers elsewhere keep the code that they have loaded")
        return
    busy = {place for job in target.active() for place in target.rest.places(job.id)}
    idle = sorted({*target.rest.managers(), *target.local.dead()} - busy)
    say(f"restarting {', '.join(idle)}, so that they load the code")
    target.local.environment = Environment(Path(submission.environment))
    target.local.restart(idle)


def _cancel(rest: Rest, job: str) -> None:
    if rest.state(job) not in ENDED:
        rest.cancel(job)


def wait_until_good(rest: Rest, job: str, checkpoints: int) -> None:
    """Wait until all tasks run and so many checkpoints are complete; raise FlinkError if it fails."""
    while True:
        found = rest.get(f"/jobs/{job}")
        if found["state"] in ENDED:
            raise FlinkError(f"the job is {found['state'].lower()}: {reason_of(rest.error(job))}")
        running = all(one["status"] == "RUNNING" for one in found["vertices"])
        if found["state"] == "RUNNING" and running and rest.completed(job) >= checkpoints:
            return
        failures = rest.get(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        if len(failures) >= ATTEMPTS:
            raise FlinkError(
                f"the job failed {len(failures)} times: {reason_of(failures[0]['stacktrace'])}"
            )
        time.sleep(PAUSE)


def slots_of(rest: Rest, job: str) -> int:
    """Return how many slots a job uses: the instances of its widest operator."""
    return max((int(one["parallelism"]) for one in rest.get(f"/jobs/{job}")["vertices"]), default=0)


def check_slots(rest: Rest, needed: int, own: int) -> None:
    """Raise FlinkError if a job would wait for slots; ``own`` are those of the job that it replaces."""
    free, total = rest.slots()
    if free + own < needed:
        raise FlinkError(
            f"parallelism {needed} needs {needed} slots, and {free + own} of {total} are free. Each "
            "TaskManager has one: start more, on this machine with `towpath flink start "
            f"--task-managers {total + needed - free - own}`"
        )
