"""What a job does: its state, checkpoints, restarts, and how far its operators are behind."""

from __future__ import annotations

from typing import Any

import msgspec

from towpath.flink.errors import reason_of
from towpath.flink.rest import Rest

_UNKNOWN = -(1 << 62)
_END = (1 << 63) - 1


class Checkpoints(msgspec.Struct, frozen=True, gc=False):
    """The checkpoints since the job was submitted; times in ms, the size in bytes."""

    complete: int
    failed: int
    last: int | None = None
    duration: int | None = None
    size: int | None = None
    path: str | None = None
    failure: str | None = None


class Operator(msgspec.Struct, frozen=True, gc=False):
    """Functions that run as one task: ``lag`` is from its watermark to now, in ms; ``busy`` in percent."""

    name: str
    parallelism: int
    states: dict[str, int]
    records_in: int
    records_out: int
    watermark: int | None = None
    lag: int | None = None
    busy: int | None = None
    backpressured: int | None = None


class Status(msgspec.Struct, frozen=True, gc=False):
    """A job; ``since`` is when it got into its state, in ms."""

    job: str
    id: str
    state: str
    since: int
    parallelism: int
    restarts: int | None
    checkpoints: Checkpoints
    operators: tuple[Operator, ...]
    watermark: int | None
    lag: int | None
    error: str | None

    @property
    def healthy(self) -> bool:
        """True if all tasks run."""
        return self.state == "RUNNING" and all(
            one.states == {"RUNNING": one.parallelism} for one in self.operators
        )


def status_of(rest: Rest, job: str, now: int) -> Status:
    """Read the status of a job; ``now`` is the time in ms."""
    found = rest.get(f"/jobs/{job}")
    operators = tuple(_operator(rest, job, one, now) for one in found["vertices"])
    marks = [one.watermark for one in operators if one.watermark is not None]
    mark = min(marks) if marks else None
    restarts = rest.metrics(f"/jobs/{job}", "numRestarts").get("numRestarts")
    error = rest.error(job)
    return Status(
        job=found["name"],
        id=job,
        state=found["state"],
        since=found["timestamps"][found["state"]],
        parallelism=max((one.parallelism for one in operators), default=0),
        restarts=None if restarts is None else int(restarts),
        checkpoints=_checkpoints(rest.checkpoints(job)),
        operators=operators,
        watermark=mark,
        lag=None if mark is None else now - mark,
        error=reason_of(error) if error else None,
    )


def _checkpoints(found: dict[str, Any]) -> Checkpoints:
    counts = found["counts"]
    last = found["latest"]["completed"] or {}
    failure = (found["latest"]["failed"] or {}).get("failure_message")
    return Checkpoints(
        complete=counts["completed"],
        failed=counts["failed"],
        last=last.get("latest_ack_timestamp"),
        duration=last.get("end_to_end_duration"),
        size=last.get("state_size"),
        path=last.get("external_path"),
        failure=failure and reason_of(failure),
    )


def _operator(rest: Rest, job: str, vertex: dict[str, Any], now: int) -> Operator:
    mark = _watermark(rest, job, vertex["id"])
    counts = vertex["metrics"]
    return Operator(
        name=vertex["name"],
        parallelism=vertex["parallelism"],
        states={state: count for state, count in vertex["tasks"].items() if count},
        records_in=counts["read-records"],
        records_out=counts["write-records"],
        watermark=mark,
        lag=None if mark is None else now - mark,
        busy=_share(rest, job, vertex["id"], "busyTimeMsPerSecond"),
        backpressured=_share(rest, job, vertex["id"], "backPressuredTimeMsPerSecond"),
    )


def _watermark(rest: Rest, job: str, vertex: str) -> int | None:
    """Return the lowest watermark that an operator has received; None before the first one."""
    found = rest.get(f"/jobs/{job}/vertices/{vertex}/watermarks")
    marks = [int(one["value"]) for one in found if "value" in one]
    mark = min(marks) if marks else _UNKNOWN
    return mark if _UNKNOWN < mark < _END else None


def _share(rest: Rest, job: str, vertex: str, metric: str) -> int | None:
    """Return a time per second as a percentage, of the instance with the highest."""
    path = f"/jobs/{job}/vertices/{vertex}/subtasks/metrics?get={metric}&agg=max"
    found = rest.get(path)
    value = float(found[0]["max"]) if found else float("nan")
    return round(value / 10) if value == value else None
