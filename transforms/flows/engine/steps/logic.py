"""The contract of a step's behaviour: what it does when reached, and what ends its wait.

A step of the language has two halves. Its definition (``definitions/steps``) says how it is
written; its logic is one subclass of ``StepLogic``, listed in ``registry.LOGIC``.
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
"""The session waits for an answer that the host gives at once."""


@final
class Exit:
    """How a session leaves a wait: the step to go to, or END or ENDS, and why.

    ``changed`` says that the step changed what exit conditions read, so they are judged first.
    """

    def __init__(self, target: int, reason: str | None = None, changed: bool = False) -> None:
        self.target = target
        self.reason = reason
        self.changed = changed


class StepLogic:
    """What one kind of step does. There is one instance a kind, without state of its own.

    What a wait remembers is on the session: ``due`` is when its time is over, ``wait_data`` is
    for the step's own use, and is cleared when the session goes on. The order of calls:

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
        """Do the step; by default go on."""
        return session.node.then

    def on_signal(self, ctx: Context, session: Session, signal: Signal) -> Exit | None:
        """Return an exit if the signal ends the wait."""
        return None

    def on_recheck(self, ctx: Context, session: Session) -> Exit | None:
        """Return an exit if a condition that the step waits for has become true."""
        return None

    def on_time(self, ctx: Context, session: Session) -> Exit:
        """Return how the session goes on when the time of the wait is over."""
        return Exit(session.node.then)

    def pause(self, ctx: Context, session: Session, halt: Halt) -> None:
        """Put what is left of the wait into ``halt``; by default the wait runs on (a date)."""

    def resume(self, ctx: Context, session: Session, left: int) -> None:
        """Wait for the rest of the time after a pause."""
        session.due = ctx.now + left

    def note_baseline(self, ctx: Context, session: Session) -> None:
        """Note which conditions are true by loaded history, which ends no wait (R10)."""

    def rebase(self, ctx: Context, session: Session, before: CompiledStep) -> int | None:
        """Return when the wait is over in the new version, None if that cannot be told."""
        return session.due

    def on_migrated(self, ctx: Context, session: Session) -> Exit | None:
        """Return an exit if the wait, as the new version has it, is over already."""
        return None


def pause_timeout(ctx: Context, session: Session, halt: Halt) -> None:
    """Extend a wait for a length of time by a pause: take the rest out of ``due``."""
    halt.left = None if session.due is None else session.due - ctx.now
    session.due = None
