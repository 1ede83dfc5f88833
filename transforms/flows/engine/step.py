"""The core's one function (section 1): state and signal in, next state and outputs out.

    step(catalog, blob, signal) -> Done(blob', outputs, wake_at) | Behind(until)

A host with a sandbox gives a third thing, ``answer``, a function of a call and its code that has
no memory: so what code steps return is in the state before anything else happens (section 4).
Every host decides by this alone; ``fold`` is the same over several signals of one user. A host
asks ``unheard`` first, so that an event which no definition reads costs no look at the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from transforms.flows.catalog.epochs import NEVER, Catalog
from transforms.flows.engine.context import Answer, Context
from transforms.flows.engine.firing import fire_until
from transforms.flows.engine.identity.erase import refused_by_tombstone, restart_from_tombstone
from transforms.flows.engine.identity.handover import (
    accept_handover,
    release_held,
    unwrap,
)
from transforms.flows.engine.identity.user_commands import handle_user_command
from transforms.flows.engine.merge_order import merge_state
from transforms.flows.engine.signal_order import (
    handle_signal,
)
from transforms.flows.engine.timers import earliest_due
from transforms.flows.engine.working import State, decode, encode
from transforms.flows.protocol.outputs import AnyOutput, Behind, Done
from transforms.flows.protocol.signals import (
    Command,
    Event,
    Forwarded,
    Handover,
    Inbound,
    Signal,
    Time,
)
from transforms.flows.state.dedupe import forgotten, remember, seen
from transforms.flows.state.ids import short

__all__ = ["Answer", "Behind", "Done", "advance", "fold", "fold_outputs", "is_unused", "step"]


def step(
    catalog: Catalog, state: bytes | None, signal: Signal, answer: Answer | None = None
) -> Done | Behind:
    """Handle one signal of one user (R1-R7); ``answer`` is the host's sandbox for code."""
    return fold(catalog, state, (signal,), answer)


def fold(
    catalog: Catalog,
    state: bytes | None,
    signals: Iterable[Signal],
    answer: Answer | None = None,
) -> Done | Behind:
    """Handle signals of one user in this order; the same as ``step`` on each in turn (R3).

    If the control log is not complete for one of them, nothing of all is done.
    """
    ctx = _run(catalog, state, signals, answer)
    if ctx is None:
        return Done(state, (), _wake(state))
    if isinstance(ctx, Behind):
        return ctx
    untouched = ctx.state.clock < 0 and ctx.state.identity is None
    return Done(
        None if untouched else encode(ctx.state),
        tuple(ctx.outputs),
        None if untouched else earliest_due(ctx.state),
    )


def fold_outputs(
    catalog: Catalog, signals: Iterable[Signal], answer: Answer | None = None
) -> tuple[AnyOutput, ...] | Behind:
    """Return the outputs of a new user's signals when nothing follows them: the end of a replay."""
    ctx = _run(catalog, None, signals, answer)
    if ctx is None or isinstance(ctx, Behind):
        return ctx or ()
    return tuple(ctx.outputs)


def _run(
    catalog: Catalog, state: bytes | None, signals: Iterable[Signal], answer: Answer | None
) -> Context | Behind | None:
    """Take signals in; give the run that holds what they did, or None where nobody was touched."""
    ctx: Context | None = None
    for signal in signals:
        if state is None and ctx is None and _asks(signal):
            continue
        if is_unused(catalog, signal):
            _, at = _times(catalog, signal)
            if catalog.complete_until < at:
                return Behind(at)
            continue
        ctx = ctx or _open(catalog, state, signal, answer)
        until = advance(ctx, signal)
        if until is not None:
            return Behind(until)
    if ctx is not None:
        ctx.close()
    return ctx


def _wake(state: bytes | None) -> int | None:
    return earliest_due(decode(state)) if state is not None else None


def is_unused(catalog: Catalog, signal: Signal) -> bool:
    """Return True if no definition reads an event's name, or any message: no signal then (R5)."""
    if isinstance(signal, Event):
        return signal.name not in catalog.events_read_since and catalog.all_events_since == NEVER
    return isinstance(signal, Inbound) and _unread(signal) and catalog.inbound_since == NEVER


def _unread(signal: Inbound) -> bool:
    """Return True if a message is read by flows alone: one that answers another is a status, too."""
    return signal.communication is None


def _asks(signal: Signal) -> bool:
    """Return True for Time and wake: they fire due timers and never create a user."""
    if isinstance(signal, Event):  # the usual case: it is asked nothing else
        return False
    return isinstance(signal, Time) or (isinstance(signal, Command) and signal.what == "wake")


def _open(catalog: Catalog, state: bytes | None, signal: Signal, answer: Answer | None) -> Context:
    unwrap = State(-1, -1) if state is None else decode(state)
    return Context(catalog, signal.user, unwrap, answer)


def advance(ctx: Context, signal: Signal) -> int | None:
    """Handle one signal in an open context; return the instant the log must reach, if it is behind."""
    if isinstance(signal, Event):  # the usual case: it is asked nothing else
        return _take(ctx, signal)
    if isinstance(signal, Time):
        return _fire(ctx, signal.at)
    if isinstance(signal, Command) and signal.what == "wake":
        return _fire(ctx, signal.time)
    return _take(ctx, signal)


def _fire(ctx: Context, until: int) -> int | None:
    if ctx.state.clock < 0:
        return None
    if ctx.catalog.complete_until < until:
        return until
    fire_until(ctx, until)
    return None


def _times(catalog: Catalog, signal: Signal) -> tuple[int, int]:
    """Return the own time, and the handling time but for the user's clock (section 1, R9)."""
    if TYPE_CHECKING:
        assert not isinstance(signal, Time)
    received = signal.received
    if received is None:
        return signal.time, signal.time
    own = min(signal.time, received)
    return own, max(own, received - catalog.at(own).space.slack)


def _take(ctx: Context, signal: Signal) -> int | None:
    """Handle a signal: ignore a duplicate (R5), else fire first what is due by then (R1).

    A duplicate fires nothing: its receipt may be later than the first one's, and a signal that
    is still to come within the slack would find its time passed.
    """
    if TYPE_CHECKING:
        assert not isinstance(signal, Time)
    state, catalog = ctx.state, ctx.catalog
    own, at = _times(catalog, signal)
    t = max(at, state.clock)
    if catalog.complete_until < t:
        return t
    if isinstance(signal, Event):
        if catalog.events_read_since.get(signal.name, NEVER) > at < catalog.all_events_since:
            return None
    elif isinstance(signal, Inbound):
        if _unread(signal) and catalog.inbound_since > at:
            return None
    elif isinstance(signal, Forwarded):
        return _take_forwarded(ctx, signal, t)
    elif isinstance(signal, Handover):
        return _take_over(ctx, signal, 0, own, t)
    known = short(signal.id)
    if seen(state.seen_ids, known):
        return None
    if state.control_applied >= 0:
        fire_until(ctx, t)
    if ctx.state.identity is not None and refused_by_tombstone(ctx, signal, own, t):
        return None
    state = ctx.state
    _begin(ctx, t)
    edge = forgotten(state.clock, state.seen_floor) if state.clock >= 0 else -1
    if own <= edge and not signal.backfill:
        state.clock = t
        ctx.begin(signal.id, t, f"{signal.id}@{t}")
        ctx.emit_rejection("too_old")
        return None
    if state.identity is not None:
        restart_from_tombstone(ctx)
        _begin(ctx, t)
        state = ctx.state
    state.seen_ids, state.seen_floor = remember(state.seen_ids, known, own, t, state.seen_floor)
    state.clock = t
    ctx.begin(signal.id, t)
    unusual = state.identity is not None or not isinstance(signal, Event)
    if not (unusual and handle_user_command(ctx, signal)):
        handle_signal(ctx, signal, own)
    ctx.is_new_user = False
    if own < signal.time:
        ctx.emit_rejection("future_time")
    return None


def _begin(ctx: Context, t: int) -> None:
    """Begin a state that is new: what was before the present era does not concern it."""
    if ctx.state.control_applied < 0:
        ctx.state.control_applied, ctx.is_new_user = min(ctx.catalog.at(t).since, t), True


def _take_forwarded(ctx: Context, given: Forwarded, t: int) -> int | None:
    """Take what another key passed on, once what it waits for is merged (R8)."""
    signal = unwrap(ctx, given, t)
    if signal is None or is_unused(ctx.catalog, signal):
        return None
    if isinstance(signal, Handover):
        return _take_over(ctx, signal, given.hops, min(signal.time, given.time), t)
    return _take(ctx, signal)


def _take_over(ctx: Context, given: Handover, hops: int, own: int, t: int) -> int | None:
    """Merge another key's state once, then take what waited for it (R8)."""
    if ctx.state.control_applied >= 0:
        fire_until(ctx, t)
    theirs = accept_handover(ctx, given, hops, own, t)
    if theirs is not None:
        _begin(ctx, t)
        merge_state(ctx, theirs, given, t)
    for held in release_held(ctx):
        until = _take(ctx, held)
        if until is not None:
            return until
    return None
