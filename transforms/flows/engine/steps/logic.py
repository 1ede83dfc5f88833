"""The interface of step logic: what a step does when reached, and what ends its wait.

The definition of a step (``definitions/steps``) describes how it is written. Its logic is a
subclass of ``StepLogic``, listed in ``registry.LOGIC``.
"""

from __future__ import annotations

from typing import Final, final

from transforms.flows.catalog.compiled import CompiledStep
from transforms.flows.engine.context import ENDS, Context
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import Signal
from transforms.flows.state.stored import Halt

__all__ = ["ASKED", "ENDS", "WAITS", "Exit", "StepLogic", "pause_timeout"]

WAITS: Final = -2
"""The session waits at the step."""

ASKED: Final = -4
"""The session waits for an answer that a host with a sandbox gives at once."""


@final
class Exit:
    """How a session leaves a wait: the next step, or END or ENDS, and the reason.

    ``changed`` is True if the step changed data that exit conditions read; they are tested first.
    """

    def __init__(self, target: int, reason: str | None = None, changed: bool = False) -> None:
        self.target = target
        self.reason = reason
        self.changed = changed


class StepLogic:
    """What one kind of step does. There is one instance per kind, and it has no state.

    The session stores the state of a wait: ``due`` is when its time is over, ``wait_data`` is
    for the step's own use and is cleared when the session continues. The order of calls:

    1. ``begin`` when a session reaches the step. Return the number of the next step, END, or
       WAITS, ASKED or ``ctx.ends(reason)``.
    2. While it waits: ``on_signal`` for each signal that the session sees, ``on_recheck`` after
       anything that may have made a condition true, ``on_time`` when ``due`` has come. An exit
       ends the wait. While the session is paused or held, the exit is noted and taken at the
       resume (R26).
    3. ``pause`` and ``resume`` around a pause that extends the wait.
    4. ``rebase``, then ``on_migrated``, when the session waits at this step and its flow moves to
       a new version (R27).
    """

    def begin(self, ctx: Context, session: Session) -> int:
        """Run the step; by default continue with the next one."""
        return session.node.then

    def on_signal(self, ctx: Context, session: Session, signal: Signal) -> Exit | None:
        """Return an exit if the signal ends the wait."""
        return None

    def on_recheck(self, ctx: Context, session: Session) -> Exit | None:
        """Return an exit if a condition that the step waits for has become true."""
        return None

    def on_time(self, ctx: Context, session: Session) -> Exit | None:
        """Return how the session continues when the time of the wait is over.

        None if it waits longer: ``session.due`` is the new time.
        """
        return Exit(session.node.then)

    def pause(self, ctx: Context, session: Session, halt: Halt) -> None:
        """Store the rest of the wait in ``halt``; by default a pause does not extend the wait."""

    def resume(self, ctx: Context, session: Session, left: int) -> None:
        """Wait for the rest of the time after a pause."""
        session.due = ctx.now + left

    def note_baseline(self, ctx: Context, session: Session) -> None:
        """Note which conditions loaded history made true: they do not end the wait (R10)."""

    def rebase(self, ctx: Context, session: Session, before: CompiledStep) -> int | None:
        """Return when the wait ends in the new version, None if it has no such time."""
        return session.due

    def on_migrated(self, ctx: Context, session: Session) -> Exit | None:
        """Return an exit if the wait of the new version is over already."""
        return None


def pause_timeout(ctx: Context, session: Session, halt: Halt) -> None:
    """Stop the timer of a wait for a duration; the resume continues it with the rest."""
    halt.left = None if session.due is None else session.due - ctx.now
    session.due = None
