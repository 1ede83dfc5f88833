"""Halted sessions: their flow is paused, or a command holds them (R26, B8, B9).

No step of a halted session runs. What ends its wait is noted, and takes effect at the resume.
"""

from __future__ import annotations

from transforms.flows.engine.context import EVERY_FLOW, Context
from transforms.flows.engine.lifecycle.migrate import (
    migrate_session,
    missed_migrations,
    resume_decided,
)
from transforms.flows.engine.messages.statuses import (
    cancel_flow,
    cancel_key,
    refresh_holds,
    skip_overdue,
)
from transforms.flows.engine.steps.moves import end, logic_of
from transforms.flows.engine.working import Session
from transforms.flows.protocol.signals import Command
from transforms.flows.state.ids import key_text
from transforms.flows.state.stored import Halt

PAUSED, HELD = 1, 2
WHY = {PAUSED: "paused", HELD: "held"}
RESUMES = ("fire", "shift", "skip")


def pause(ctx: Context, flow: int | None, how: str) -> None:
    """Halt the sessions of a flow, and hold its planned messages (R14)."""
    for session in ctx.sessions_in_order():
        if session.flow == flow:
            _halt(ctx, session, PAUSED, how)
    refresh_holds(ctx)


def resume(ctx: Context, flow: int | None, how: str) -> None:
    """Resume a flow's sessions; what was decided during the pause takes effect."""
    if how == "skip":
        live = {session.id for session in ctx.state.sessions}
        skip_overdue(ctx, lambda sent: sent.flow == flow and sent.session not in live)
    for session in ctx.sessions_in_order():
        if session.flow == flow:
            _resume(ctx, session, PAUSED)
    refresh_holds(ctx)


def stop(ctx: Context, flow: int | None, reason: str) -> None:
    """End all sessions of a flow, and cancel its planned messages."""
    for session in ctx.sessions_in_order():
        if session.flow == flow:
            end(ctx, session, reason, forced=True)
    cancel_flow(ctx, flow, reason)
    refresh_holds(ctx)


def apply_command(ctx: Context, command: Command, by: str | None = None) -> None:
    """Hold, resume or stop a user's sessions of one flow or of all, or suppress entries.

    A stop also cancels planned messages of ended sessions (P22). ``key`` in the data limits the
    command to the sessions with that key. ``by`` is the session whose step raised the command; it
    is not affected itself.
    """
    number = None if command.flow is None else ctx.catalog.numbers.get(command.flow)
    if command.flow is not None and number is None:
        ctx.emit_rejection("unknown_flow", command.flow)
        return
    if command.what == "suppress":
        _suppress(ctx, EVERY_FLOW if number is None else number, command)
        return
    key = key_text(command.data.get("key"))
    for session in ctx.sessions_in_order():
        if number not in (None, session.flow) or session.ended is not None or session.id == by:
            continue
        if key not in (None, session.key):
            continue
        match command.what:
            case "hold":
                how = command.data.get("resume")
                _halt(ctx, session, HELD, how if how in RESUMES else RESUMES[0])
            case "resume":
                _resume(ctx, session, HELD)
            case _:
                reason = "stopped" if by is None else "unenrolled"
                end(ctx, session, reason, forced=True)
    if command.what == "stop" and by is None:
        cancel_key(ctx, number, key)
    refresh_holds(ctx)


def _suppress(ctx: Context, flow: int, command: Command) -> None:
    """Suppress entries of this user into a flow, or all flows; ``off`` ends it."""
    rest = [number for number in ctx.state.suppressed if number != flow]
    ctx.state.suppressed = rest if command.data.get("off") is True else [*rest, flow]


def _halt(ctx: Context, session: Session, by: int, how: str) -> None:
    """Pause a session. If it is both paused and held, the first one's resume mode applies."""
    halt = session.halt
    if halt is None:
        halt = session.halt = Halt(ctx.now, by, how)
        if how == "shift":
            logic_of(session).pause(ctx, session, halt)
    elif halt.by & by:
        return
    halt.by |= by
    ctx.emit_transition("waiting", session, reason=WHY[by], until=session.due)


def _resume(ctx: Context, session: Session, by: int) -> None:
    """Remove one of the two reasons to halt; after the last one, continue the session."""
    halt = session.halt
    if halt is None or session.ended is not None or not halt.by & by:
        return
    halt.by &= ~by
    if halt.by:
        return
    if halt.how == "skip":
        skip_overdue(ctx, lambda sent: sent.session == session.id)
        if halt.overdue:
            end(ctx, session, "overdue", forced=True)
            return
    versions = missed_migrations(ctx, session, halt.since)
    if halt.target is not None:
        resume_decided(ctx, session, versions, halt.target, halt.why)
        return
    session.halt = None
    if halt.left is not None:
        logic_of(session).resume(ctx, session, halt.left)
    ctx.emit_transition("waiting", session, reason="resumed", until=session.due)
    for effect in versions:
        if session.ended is None:
            migrate_session(ctx, session, effect)
