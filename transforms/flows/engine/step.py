"""The core's one function (section 1): what was remembered and what happened, to what is decided.

    step(catalog, blob, signal) -> Done(blob', outputs, wake_at) | Behind(until)

A host with a sandbox gives a third thing, ``answer``, a function of a call and its code that has
no memory: so what code steps return is in the state before anything else happens (section 4).
Every host decides by this alone; ``fold`` is the same over several signals of one user. A host
asks ``unheard`` first, so that an event which no definition reads costs no look at the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from transforms.flows.catalog.epochs import NEVER, Catalog, Effect
from transforms.flows.engine.context import Run
from transforms.flows.engine.identity.erase import afresh, refused
from transforms.flows.engine.identity.handover import arrived, opened, released, tie
from transforms.flows.engine.identity.merge import merge
from transforms.flows.engine.signal_order import (
    absorb,
    as_history,
    drain_queue,
    fire_until,
    handle,
    settle,
)
from transforms.flows.engine.steps.backfill import take_note
from transforms.flows.engine.steps.calls import Answer
from transforms.flows.engine.timers import soonest
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
from transforms.flows.state.codec import decode, encode
from transforms.flows.state.dedupe import forgotten, remember, seen
from transforms.flows.state.ids import short
from transforms.flows.state.working import State

__all__ = ["Answer", "Behind", "Done", "advance", "decided", "fold", "step", "unheard"]


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
    run = _run(catalog, state, signals, answer)
    if run is None:
        return Done(state, (), _wake(state))
    if isinstance(run, Behind):
        return run
    untouched = run.state.clock < 0 and run.state.identity is None
    return Done(
        None if untouched else encode(run.state),
        tuple(run.outputs),
        None if untouched else soonest(run.state),
    )


def decided(
    catalog: Catalog, signals: Iterable[Signal], answer: Answer | None = None
) -> tuple[AnyOutput, ...] | Behind:
    """Give what a new user's signals bring about, where nothing follows them: the end of a replay."""
    run = _run(catalog, None, signals, answer)
    if run is None or isinstance(run, Behind):
        return run or ()
    return tuple(run.outputs)


def _run(
    catalog: Catalog, state: bytes | None, signals: Iterable[Signal], answer: Answer | None
) -> Run | Behind | None:
    """Take signals in; give the run that holds what they did, or None where nobody was touched."""
    run: Run | None = None
    for signal in signals:
        if state is None and run is None and _asks(signal):
            continue
        if unheard(catalog, signal):
            _, at = _times(catalog, signal)
            if catalog.complete_until < at:
                return Behind(at)
            continue
        run = run or _open(catalog, state, signal, answer)
        until = advance(run, signal)
        if until is not None:
            return Behind(until)
    if run is not None:
        run.close()
    return run


def _wake(state: bytes | None) -> int | None:
    return soonest(decode(state)) if state is not None else None


def unheard(catalog: Catalog, signal: Signal) -> bool:
    """Tell whether no definition reads an event's name, or any message: no signal then (R5)."""
    if isinstance(signal, Event):
        return signal.name not in catalog.heard and catalog.hears_all == NEVER
    return isinstance(signal, Inbound) and _unread(signal) and catalog.listens == NEVER


def _unread(signal: Inbound) -> bool:
    """Tell whether a message is read by flows alone: one that answers another is a status, too."""
    return signal.communication is None


def _asks(signal: Signal) -> bool:
    """Tell whether the signal only looks at what is there."""
    if isinstance(signal, Event):  # the usual case: it is asked nothing else
        return False
    return isinstance(signal, Time) or (isinstance(signal, Command) and signal.what == "wake")


def _open(catalog: Catalog, state: bytes | None, signal: Signal, answer: Answer | None) -> Run:
    opened = State(clock=-1, absorbed=-1) if state is None else decode(state)
    return Run(catalog, signal.user, opened, answer)


def advance(run: Run, signal: Signal) -> int | None:
    """Take one signal into an open run; return the instant the log must reach, if it is behind."""
    if isinstance(signal, Event):  # the usual case: it is asked nothing else
        return _take(run, signal)
    if isinstance(signal, Time):
        return _fire(run, signal.at)
    if isinstance(signal, Command) and signal.what == "wake":
        return _fire(run, signal.time)
    return _take(run, signal)


def _fire(run: Run, until: int) -> int | None:
    if run.state.clock < 0:
        return None
    if run.catalog.complete_until < until:
        return until
    fire_until(run, until)
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


def _take(run: Run, signal: Signal) -> int | None:
    """Take in what has happened: nothing for a duplicate (R5), else what is due by then first (R1).

    A duplicate fires nothing: its receipt may be later than the first one's, and a signal that
    is still to come within the slack would find its time passed.
    """
    if TYPE_CHECKING:
        assert not isinstance(signal, Time)
    state, catalog = run.state, run.catalog
    own, at = _times(catalog, signal)
    t = max(at, state.clock)
    if catalog.complete_until < t:
        return t
    if isinstance(signal, Event):
        if catalog.heard.get(signal.name, NEVER) > at < catalog.hears_all:
            return None
    elif isinstance(signal, Inbound):
        if _unread(signal) and catalog.listens > at:
            return None
    elif isinstance(signal, Forwarded):
        return _take_forwarded(run, signal, t)
    elif isinstance(signal, Handover):
        return _take_over(run, signal, 0, own, t)
    known = short(signal.id)
    if seen(state.memory, known):
        return None
    if state.absorbed >= 0:
        fire_until(run, t)
    if run.state.identity is not None and refused(run, signal, own, t):
        return None
    state = run.state
    _begin(run, t)
    edge = forgotten(state.clock, state.dropped) if state.clock >= 0 else -1
    if own <= edge and not signal.backfill:
        state.clock = t
        run.begin(signal.id, t, f"{signal.id}@{t}")
        run.reject("too_old", t)
        return None
    if state.identity is not None:
        afresh(run)
        _begin(run, t)
        state = run.state
    state.memory, state.dropped = remember(state.memory, known, own, t, state.dropped)
    state.clock = t
    handle(run, signal, own, t)
    run.fresh = False
    if own < signal.time:
        run.reject("future_time", t)
    return None


def _begin(run: Run, t: int) -> None:
    """Begin a state that is new: what was before the present era does not concern it."""
    if run.state.absorbed < 0:
        run.state.absorbed, run.fresh = min(run.catalog.at(t).since, t), True


def _take_forwarded(run: Run, given: Forwarded, t: int) -> int | None:
    """Take what another key passed on, once what it waits for is merged (R8)."""
    signal = opened(run, given, t)
    if signal is None or unheard(run.catalog, signal):
        return None
    if isinstance(signal, Handover):
        return _take_over(run, signal, given.hops, min(signal.time, given.time), t)
    return _take(run, signal)


def _take_over(run: Run, given: Handover, hops: int, own: int, t: int) -> int | None:
    """Merge another key's state once, then take what waited for it (R8)."""
    if run.state.absorbed >= 0:
        fire_until(run, t)
    theirs = arrived(run, given, hops, own, t)
    if theirs is not None:
        _begin(run, t)
        run.state.clock = t
        run.fresh = False  # all audiences are judged once the two are one
        decisions = merge(run, theirs, given, t, _concern)
        tie(run, given, theirs, t)
        if given.bypass:
            as_history(run, decisions)
            take_note(run, t)
        settle(run, t, moved=not given.bypass)
    for held in released(run):
        until = _take(run, held)
        if until is not None:
            return until
    return None


def _concern(run: Run, effects: list[Effect], t: int) -> None:
    """Let control records of one instant act, and then what they raised (R1)."""
    for effect in effects:
        absorb(run, effect, t)
    drain_queue(run, t)
