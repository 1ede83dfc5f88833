"""Dead letters of the streaming job: what went wrong, where and why, and no traceback.

A letter names no value of a user but in ``record``, which is the signal that was not handled.
"""

from __future__ import annotations

from traceback import walk_tb

from transforms.flows.engine.working import decode
from transforms.flows.protocol.outputs import AnyOutput, DeadLetter
from transforms.flows.protocol.signals import Signal, Time
from transforms.flows.state.ids import hashed
from transforms.wire.messages import LONGEST_NAME, to_envelope
from transforms.wire.raw import Bad

BAD = "bad"
"""The tag of dead letters where a step gives them aside, each as the outputs of one step."""


def of_record(space: str, bad: Bad, cause: str, receipt: int) -> DeadLetter:
    """Tell of a message that is no signal; its user is not known."""
    return DeadLetter(
        id=hashed("dead", space, cause),
        user="",
        at=receipt,
        reason=bad.reason,
        cause=cause,
        detail=f"message {cause}: {bad.detail}",
    )


def of_failure(space: str, state: bytes | None, signal: Signal, error: Exception) -> DeadLetter:
    """Tell of a signal or an alarm that the core could not handle; nothing of it was done."""
    alarm = isinstance(signal, Time)
    cause = f"alarm@{signal.at}" if isinstance(signal, Time) else signal.id
    wrong = state_problem(state)
    return DeadLetter(
        id=hashed("dead", space, signal.user, cause),
        user=signal.user,
        at=signal.at if isinstance(signal, Time) else signal.received or signal.time,
        reason="failed" if wrong is None else "unreadable_state",
        cause=cause,
        detail=f"{type(error).__name__} in {place_of(error)}" if wrong is None else wrong,
        record=None if alarm else to_envelope(signal).decode(),
    )


def of_output(space: str, output: AnyOutput, sink: str, why: str) -> DeadLetter:
    """Tell of an output that a sink left out."""
    return DeadLetter(
        id=hashed("dead", space, sink, output.id),
        # One about a user whose name no topic takes names none, so that it can leave.
        user=output.user if len(output.user.encode()) <= LONGEST_NAME else "",
        at=output.at,
        reason="unfit_output",
        cause=output.id,
        flow=getattr(output, "flow", None),
        step=getattr(output, "step", None),
        detail=f"{output.__struct_config__.tag} for {sink}: {why}",
    )


def state_problem(state: bytes | None) -> str | None:
    """Say what is wrong with a user's state; None if it can be read."""
    if state is None:
        return None
    try:
        decode(state)
    except Exception:
        version = state[0] if state else "none"
        return f"a blob of {len(state)} bytes, version {version}"
    return None


def place_of(error: Exception) -> str:
    """Name the function that raised, and the line."""
    (*_, (frame, line)) = walk_tb(error.__traceback__)
    return f"{frame.f_globals['__name__']}.{frame.f_code.co_qualname}, line {line}"
