"""Dead letters of a host: what failed, where and why, without a traceback.

A dead letter shows no value of a user except in ``record``, the signal that was not handled. Its id
contains the receipt: a record that is published again and fails again has another dead letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from traceback import walk_tb

from transforms.flows.engine.working import decode
from transforms.flows.protocol.outputs import AnyOutput, DeadLetter
from transforms.flows.protocol.signals import Signal, Time
from transforms.flows.state.ids import hashed
from transforms.hosting.buffer import unpack
from transforms.sinks.checked import LONGEST_ID, BadRow
from transforms.wire.messages import LONGEST_NAME, to_envelope
from transforms.wire.raw import Bad
from transforms.wire.rows import name_of


def of_message(space: str, bad: Bad, cause: str, receipt: int) -> DeadLetter:
    """Make the dead letter of a message that is not a signal; its user is unknown."""
    return DeadLetter(
        id=hashed("dead_message", space, cause, str(receipt)),
        user="",
        at=receipt,
        reason=bad.reason,
        cause=cause,
        detail=f"message {cause}: {bad.detail}",
    )


def of_not_allowed(
    space: str, signal: Signal, kind: str, source: str, cause: str, receipt: int
) -> DeadLetter:
    """Make the dead letter of a signal of a kind that its source is not allowed to deliver.

    It has the complete record: a state that was handed over is nowhere else.
    """
    assert not isinstance(signal, Time)
    record = to_envelope(signal).decode()
    return DeadLetter(
        id=hashed("dead_not_allowed", space, cause, str(receipt), record),
        user=_publishable(signal.user),
        at=receipt,
        reason="not_allowed",
        cause=cause,
        detail=f"message {cause}: {source} is not allowed to deliver {kind}",
        record=record,
    )


def of_file_record(bad: Bad, at: int) -> DeadLetter:
    """Make the dead letter of a record in a file, at an instant; its user is unknown."""
    return DeadLetter(
        id=hashed("dead_record", bad.file, str(bad.line), bad.reason),
        user="",
        at=at,
        reason=bad.reason,
        cause=f"{bad.file}:{bad.line}",
        detail=bad.detail,
    )


def of_failure(space: str, state: bytes | None, signal: Signal, error: Exception) -> DeadLetter:
    """Make the dead letter of a signal or an alarm that the core could not handle."""
    alarm = isinstance(signal, Time)
    cause = f"alarm@{signal.at}" if isinstance(signal, Time) else signal.id
    at = signal.at if isinstance(signal, Time) else signal.received or signal.time
    wrong = state_problem(state)
    return DeadLetter(
        id=hashed("dead_signal", space, signal.user, cause, str(at)),
        user=_publishable(signal.user),
        at=at,
        reason="failed" if wrong is None else "unreadable_state",
        cause=cause,
        detail=f"{type(error).__name__} in {place_of(error)}" if wrong is None else wrong,
        record=None if alarm else to_envelope(signal).decode(),
    )


def of_held(space: str, signal: Signal) -> DeadLetter:
    """Make the dead letter of a signal for which too many others wait for the control log."""
    assert not isinstance(signal, Time)
    at = signal.received or signal.time
    return DeadLetter(
        id=hashed("dead_held", space, signal.user, signal.id, str(at)),
        user=_publishable(signal.user),
        at=at,
        reason="control_behind",
        cause=signal.id,
        detail="the control log is not complete, and too many signals of the user wait for it",
        record=to_envelope(signal).decode(),
    )


def of_output(space: str, output: AnyOutput, sink: str, why: str) -> DeadLetter:
    """Make the dead letter of an output that a sink rejected."""
    return DeadLetter(
        id=hashed("dead_output", space, sink, output.id),
        user=_publishable(output.user),
        at=output.at,
        reason="unfit_output",
        cause=output.id,
        flow=getattr(output, "flow", None),
        step=getattr(output, "step", None),
        detail=f"{name_of(output)} for {sink}: {why}",
    )


def of_refused(
    sink: str, found: Iterable[tuple[str, AnyOutput]], bad: Iterable[BadRow]
) -> Iterator[tuple[str, DeadLetter]]:
    """Make dead letters, with their spaces, of the outputs that a sink rejected, except dead letters."""
    why = {row.id: row.detail for row in bad}
    for space, output in found:
        ident = output.id[:LONGEST_ID]
        if ident in why and not isinstance(output, DeadLetter):
            yield space, of_output(space, output, sink, why[ident])


def _publishable(user: str) -> str:
    """Return a user's key; empty if it is too long for a topic, which would refuse the dead letter."""
    return user if len(user.encode()) <= LONGEST_NAME else ""


def state_problem(state: bytes | None) -> str | None:
    """Describe why a user's state cannot be read; None if it can."""
    if state is None:
        return None
    try:
        core, _ = unpack(state)
        if core is not None:
            decode(core)
    except Exception:
        version = state[0] if state else "none"
        return f"a blob of {len(state)} bytes, version {version}"
    return None


def place_of(error: Exception) -> str:
    """Name the function and line that raised."""
    (*_, (frame, line)) = walk_tb(error.__traceback__)
    return f"{frame.f_globals['__name__']}.{frame.f_code.co_qualname}, line {line}"
