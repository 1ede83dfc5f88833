"""Random histories of one user with several keys: identified and erased in any order (R8, R32).

The invariants hold over all keys together: each session has ended once or waits with a timer at
exactly one key, no id is of two outputs, states keep their limit, and a key that gets the same
signals again, in pieces or with forwarded signals before their handover, gives the same outputs.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate, pairwise

import msgspec

from tests.kit.histories import handling_time, history
from tests.kit.keys import Keys
from tests.kit.worlds import DAY, World
from transforms.flows.engine.step import Done, fold
from transforms.flows.engine.working import decode
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol import signals
from transforms.flows.protocol.signals import (
    Command,
    Forwarded,
    Handover,
    ProfileChange,
    Signal,
    Time,
)
from transforms.hosting.sandbox import answer

KEYS = ("kim", "lee", "anon:1", "anon:2", "anon:3")
BOUND = 256 * 1024


class KeyedUser(msgspec.Struct):
    """The signals and outputs of several keys, until an instant."""

    keys: Keys
    slack: int
    until: int


def story(where: World, seed: int, share: float, names: tuple[str, ...]) -> list[Signal]:
    """Spread a random history over several keys, with identifies and erasures in between."""
    rng = random.Random(f"keys {seed}")
    found: list[Signal] = []
    for given in history(where, seed).handled:
        signal = given.signal
        assert not isinstance(signal, Time)
        found.append(msgspec.structs.replace(signal, user=rng.choice(names)))
        base = {"time": signal.time, "received": signal.received}
        if rng.random() < share:
            key, other = rng.choice(names), rng.choice((*names[:2] * 3, *names))
            name = f"j{len(found)}"
            found.append(ProfileChange(id=name, user=key, becomes=other, **base))
        if rng.random() < share / 8:
            what = rng.choice(("erase", "erase", "export"))
            found.append(Command(id=f"x{len(found)}", user=rng.choice(names), what=what, **base))
    return found


def keyed_user(
    where: World, seed: int, share: float = 0.15, names: tuple[str, ...] = KEYS
) -> KeyedUser:
    """Run a story, with signals between the keys delivered at any time."""
    found = story(where, seed, share, names)
    keys, rng = Keys(where.catalog()), random.Random(f"order {seed}")
    for signal in found:
        keys.give(signal)
        if rng.random() < 0.5:
            keys.deliver(rng, rng.choice((1, 2, 5, 1000)))
        again = rng.choice(found)
        if rng.random() < 0.1 and not again.backfill:  # type: ignore[union-attr]
            keys.give(again)
    until = max(max(s.time, s.received or 0) for s in found) + 12 * DAY  # type: ignore[union-attr]
    keys.finish(rng, until)
    return KeyedUser(keys, where.slack, until)


def violations_of(found: KeyedUser) -> Iterator[str]:
    """Yield the violations of a user's keys, taken together."""
    states = {key: decode(blob) for key, blob in found.keys.states.items() if blob is not None}
    outputs = found.keys.outputs
    live = Counter(s.id for state in states.values() for s in state.sessions)
    entered = Counter(o.session for o in outputs if getattr(o, "what", "") == "entered")
    ended = Counter(o.session for o in outputs if getattr(o, "what", "") == "ended")
    for what, count in (("entered", entered), ("ended", ended), ("live", live)):
        yield from (f"session {name} is {what} {n} times" for name, n in count.items() if n > 1)
    for name in sorted((live + ended).keys() ^ entered.keys() | (live & ended).keys()):
        yield f"session {name} is lost or doubled: {live[name]} live, {ended[name]} ended"
    written = {out.encode(output) for output in outputs}
    ids = Counter(out.decode(encoded).id for encoded in written)
    yield from (f"id {name} is of {n} outputs" for name, n in ids.items() if n > 1)
    rows = [output for output in outputs if isinstance(output, out.Transition)]
    for name in {row.user for row in rows} | {row.session for row in rows}:
        numbers = [row.sequence for row in rows if name in (row.user, row.session)]
        if any(after < before for before, after in pairwise(numbers)):
            yield f"the sequence of transitions of {name} goes back"
    for key, blob in found.keys.states.items():
        if len(blob or b"") >= BOUND:
            yield f"the state of {key} has {len(blob or b'')} bytes"
        wake = found.keys.wakes[key]
        if wake is not None and wake <= found.until:
            yield f"what was due of {key} did not fire"
    for key, state in states.items():
        if state.identity is not None and state.identity.held:
            yield f"{key} waits for a handover that has come"
        for session in state.sessions:
            if session.due is None and session.halt is None:
                yield f"{session.id} of {key} would wait forever"


# --- the same again --------------------------------------------------------------------------


def handled_at(signal: Signal, slack: int) -> int:
    """Return the handling time of a signal before the key's clock; of a forwarded one by its own."""
    if isinstance(signal, Forwarded):
        inner = signals.decode(signal.signal)
        assert not isinstance(inner, Time)
        return handling_time(inner, slack)
    return signal.at if isinstance(signal, Time) else handling_time(signal, slack)


class SingleKey(Keys):
    """One key that gets its signals again, as from a host that retries."""

    def again(self, mine: list[Signal], slack: int, rng: random.Random) -> None:
        """Give signals with timers and duplicates in between, which must change nothing."""
        key, clock, before = mine[0].user, 0, mine[0]
        ats = [handled_at(signal, slack) for signal in mine]
        firsts = list(accumulate(reversed(ats), min))[::-1]
        for signal, first in zip(mine, firsts, strict=True):
            at = max(clock, first)
            identity = decode(blob).identity if (blob := self.states.get(key)) else None
            wake = self.wakes.get(key)
            waits = identity is not None and identity.held
            if wake is not None and wake <= at and not waits and rng.random() < 0.7:
                self.give(Time(user=key, at=wake))
            if rng.random() < 0.2:
                self.give(Time(user=key, at=rng.randrange(clock + 1)))
            moved = identity is not None and identity.to is not None
            if isinstance(before, Handover) and not moved and rng.random() < 0.5:
                self.give(before)
            self.give(signal)
            before = signal
            if blob := self.states[key]:
                clock = max(clock, decode(blob).clock)


def rerun_differences(found: KeyedUser, rng: random.Random) -> Iterator[str]:
    """Run each key again: in one go, with timers and duplicates, and with its handovers later."""
    keys = found.keys
    for key in keys.states:
        mine = [signal for signal in keys.given if signal.user == key]
        whole = fold(keys.catalog, None, mine, answer)
        assert isinstance(whole, Done)
        wanted = [out.encode(o) for o in whole.outputs], whole.state
        alone = SingleKey(keys.catalog)
        alone.again(mine, found.slack, rng)
        if ([out.encode(o) for o in alone.outputs], alone.states[key]) != wanted:
            yield f"{key} with timers and duplicates differs"
        if any(getattr(signal, "becomes", None) is not None for signal in mine):
            continue  # what such a key forwards, it forwards in the order of arrival
        later = fold(keys.catalog, None, with_late_handovers(mine, rng), answer)
        assert isinstance(later, Done)
        if [out.encode(o) for o in later.outputs] != wanted[0] or later.state != whole.state:
            yield f"{key} with its handovers later differs"


def with_late_handovers(mine: list[Signal], rng: random.Random) -> list[Signal]:
    """Move handovers behind some of the signals that follow at once and wait for them (R8)."""
    found = list(mine)
    for place in range(len(found) - 1, -1, -1):
        given, end = found[place], place + 1
        if not isinstance(given, Handover):
            continue
        while end < len(found) and _waits(found[end], given) and rng.random() < 0.7:
            end += 1
        found[place:end] = [*found[place + 1 : end], given]
    return found


def _waits(signal: Signal, given: Handover) -> bool:
    """Return True if a signal, which is not itself a handover, waits for this handover."""
    return (
        isinstance(signal, Forwarded)
        and signal.handover == given.id
        and not isinstance(signals.decode(signal.signal), Handover)
    )
