"""Random histories of one user and their clean run: signals in order of arrival, and outputs."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import msgspec

from tests.kit import campaigns
from tests.kit.user_commands import effect_on_user, imported_names, user_command
from tests.kit.worlds import DAY, EVENTS, HOUR, MINUTE, ZONES, World
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine.step import Done, step
from transforms.flows.engine.working import decode
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import (
    AudienceChange,
    CallResult,
    Command,
    CommunicationUpdate,
    Enter,
    Event,
    Inbound,
    ProfileChange,
    Signal,
    Time,
)
from transforms.flows.state.tombstones import MONTH
from transforms.hosting.sandbox import answer

GAPS = (0, 0, 1, 1000, MINUTE, 10 * MINUTE, HOUR, 3 * HOUR, 9 * HOUR, DAY, 2 * DAY)
STATUSES = ("delivered", "opened", "clicked", "failed", "bounced", "unsubscribed")
AFTER = 12 * DAY
MUCH = 2_000
"""The number of outputs that ends a history: flows that start each other never end."""

Data = dict[str, Any]


class Handled(msgspec.Struct, frozen=True):
    """A signal that arrived, the user's clock after it, and its outputs.

    ``taken`` is False if the core does not remember the signal: too old, or unused (R5).
    ``broke`` is ``erased`` or ``imported`` if the core forgets everything before this signal.
    """

    signal: Signal
    at: int
    outputs: tuple[out.AnyOutput, ...]
    taken: bool
    broke: str = ""


class History(msgspec.Struct, frozen=True):
    """A user's history and its clean run; it ends with ``Time(until)``.

    ``imported`` names the sessions and messages of imported states.
    """

    world: World
    user: str
    handled: tuple[Handled, ...]
    until: int
    outputs: tuple[out.AnyOutput, ...]
    state: bytes | None
    wake_at: int | None
    largest: int
    imported: frozenset[str] = frozenset()


def _name(seed: int, n: int, now: int, names: set[str]) -> str:
    """Return the id of a signal, not one of ``names``; now and then one that looks internal."""
    rng = random.Random(f"name {seed} {n}")
    name = f"{rng.choice(('busy', 'control', 'f0:0'))}@{now}"
    return name if rng.random() < 0.05 and name not in names else f"i{n}"


def _absence(seed: int, n: int) -> int:
    """Return how long the user stays away before a signal: now and then for over a month."""
    rng = random.Random(f"absence {seed} {n}")
    return rng.randrange(28 * DAY, 45 * DAY) if rng.random() < 0.015 else 0


def history(
    world: World,
    seed: int,
    length: int | None = None,
    share: float = 0.0,
    much: int = MUCH,
) -> History:
    """Create the history of a seed and run it, each signal once and in order of arrival.

    ``share`` of its signals erase the user, export the state or import another one. The history
    ends after ``much`` outputs.
    """
    rng = random.Random(f"history {seed}")
    user, now = f"u{seed}", world.start
    known: list[str] = []
    calls: list[str] = []
    exports: list[Data] = []
    names: set[str] = set()
    imported: frozenset[str] = frozenset()
    handled: list[Handled] = []
    outputs: list[out.AnyOutput] = []
    state: bytes | None = None
    clock = largest = 0
    broken = False
    catalog = world.catalog()
    for n in range(length or rng.choice((5, 15, 40, 80))):
        now += rng.choice(GAPS) + rng.choice((0, 0, rng.randrange(HOUR))) + _absence(seed, n)
        name = _name(seed, n, now, names)
        names.add(name)
        if n == 0 and rng.random() < 0.7:
            signal: Signal = _reachable(user, now)
        elif calls and rng.random() < 0.3:
            signal = _answer(rng, user, name, now, calls)
        elif rng.random() < share:
            base = _times(rng, user, name, now, world.slack)
            signal = user_command(rng, base, world, state, exports)
        else:
            signal = _signal(rng, user, name, now, world.slack, known)
        done = step(catalog, state, signal, answer)
        assert isinstance(done, Done)
        state = done.state
        at = max(clock, handling_time(signal, world.slack))
        heard = _is_used(catalog, signal, at)
        clock = at if heard else clock
        broke = effect_on_user(signal, done.outputs)
        broken = broken or bool(broke)
        if broken and state is not None:
            clock = decode(state).clock  # another user's, or none any more
        taken = heard and state is not None and not _refused(signal, done.outputs)
        handled.append(Handled(signal, clock, done.outputs, taken, broke))
        imported |= imported_names(signal, state) if broke == "imported" else frozenset()
        outputs += done.outputs
        exports += [o.data for o in done.outputs if isinstance(o, out.StateExport)]
        known += [o.communication for o in done.outputs if isinstance(o, out.Message)]
        calls += [o.id for o in done.outputs if isinstance(o, out.Call) and o.kind == "api"]
        largest = max(largest, len(state or b""))
        if len(outputs) > much:
            break
    until = max(now, clock) + (AFTER if len(outputs) <= much else HOUR)
    if broken and len(outputs) <= much:
        until += MONTH  # the tombstone goes, too
    done = step(catalog, state, Time(user=user, at=until), answer)
    assert isinstance(done, Done)
    outputs += done.outputs
    return History(
        world,
        user,
        tuple(handled),
        until,
        tuple(outputs),
        done.state,
        done.wake_at,
        largest,
        imported,
    )


def _refused(signal: Signal, outputs: tuple[out.AnyOutput, ...]) -> bool:
    return any(
        isinstance(o, out.Rejection)
        and o.reason in ("too_old", "erased")
        and o.cause == getattr(signal, "id", "")
        for o in outputs
    )


def _is_used(catalog: Catalog, signal: Signal, at: int) -> bool:
    """Return True if a definition reads the signal (R5)."""
    match signal:
        case Event(name=name):
            return catalog.read_since(name) <= at
        case Inbound(communication=None):
            return catalog.inbound_since <= at
        case _:
            return True


def handling_time(signal: Signal, slack: int) -> int:
    """Return the handling time of a signal before the user's clock is applied."""
    assert not isinstance(signal, Time)
    received = signal.time if signal.received is None else signal.received
    own = min(signal.time, received)
    return own if signal.received is None else max(own, received - slack)


def _reachable(user: str, now: int) -> Signal:
    traits = {"email": "a@example.com", "phone": "+491511", "plan": "free"}
    return ProfileChange(id="i0", user=user, time=now, set=traits, consent={"club": True})


def _answer(rng: random.Random, user: str, name: str, now: int, calls: list[str]) -> CallResult:
    """Answer one of the last calls, sometimes one that is answered already."""
    call = rng.choice(calls[-4:])
    result = {"status": 200, "n": rng.choice((1, "x"))}
    ok = rng.random() < 0.7
    more: Data = {} if ok else {"error": "refused"}
    more |= rng.choice(({}, {"received": now}, {"received": now, "sequence": 7}))
    if rng.random() < 0.02:
        more[rng.choice(("bypass", "backfill"))] = True
    return CallResult(id=name, user=user, time=now, call=call, ok=ok, result=result, **more)


def _signal(
    rng: random.Random, user: str, name: str, now: int, slack: int, known: list[str]
) -> Signal:
    base = _times(rng, user, name, now, slack)
    if rng.random() < 0.03:
        base[rng.choice(("bypass", "backfill"))] = True
    match rng.choice(
        "event event event event event profile profile audience enter order sent said upload".split()
    ):
        case "event":
            properties = {"k": rng.choice("xyz"), "v": rng.choice((1, 4, 9.5, 20, "many", None))}
            return Event(name=rng.choice(EVENTS), properties=properties, **base)
        case "profile":
            return _profile(rng, base, now)
        case "audience":
            name = rng.choice(("vip", "vip", "vip", "busy"))
            return AudienceChange(audience=name, entered=rng.random() < 0.6, **base)
        case "enter":
            flow = rng.choice(("f0", "f1", "f9"))
            launch = rng.choice((None, None, "spring", "summer"))
            member = rng.choice((None, "vip", "busy")) if launch else None
            data = {"k": rng.choice("xyz")}
            more = campaigns.fields(rng) if rng.random() < 0.3 else {}
            told: Data = {"launch": launch, "member_of": member, "participant": more}
            told["key"] = rng.choice(("", "", "x"))
            told["profile"] = rng.choice(({}, {}, {"plan": "pro"}, {"score": 3}))
            return Enter(flow=flow, data=data, **told, **base)
        case "upload":
            return campaigns.upload(rng, base)
        case "order" if rng.random() < 0.4:
            return _order(rng, base)
        case "said":
            return _random_values(rng, base, known)
        case _ if known:
            status, name = rng.choice(STATUSES), rng.choice(known[-8:])
            told = rng.choice(({}, {}, {"digits": 1, "cost": 0.25}, {"cost": rng.random()}))
            attempt = rng.choice((0, 0, 0, 1, 2))
            return CommunicationUpdate(
                communication=name, status=status, data=told, attempt=attempt, **base
            )
        case _:
            return Event(name="Nobody Reads This", **base)


def _times(rng: random.Random, user: str, name: str, now: int, slack: int) -> Data:
    late = rng.choice((0, 0, 0, 0, rng.randrange(slack + 1), rng.randrange(DAY), -HOUR, 8 * DAY))
    received = None if rng.random() < 0.3 else now
    time = max(0, now - (0 if received is None and late < 0 else late))
    sequence = rng.choice((0, 0, 7))
    return {"id": name, "user": user, "time": time, "received": received, "sequence": sequence}


def _random_values(rng: random.Random, base: dict[str, Any], known: list[str]) -> Inbound:
    channel, number = rng.choice((("sms", "4711"), ("sms", "100"), ("log", "101"), ("log", "9")))
    text = rng.choice((" YES", "no", "word0", "Word1", "start0", "7", "4,5", "and now?", ""))
    answered = rng.choice(known[-8:]) if known and rng.random() < 0.4 else None
    call = rng.random() < 0.3
    return Inbound(
        channel=channel, number=number, text=text, call=call, communication=answered, **base
    )


def _order(rng: random.Random, base: dict[str, Any]) -> Command:
    data = rng.choice(({}, {"resume": "shift"}, {"resume": "skip"}, {"key": "x"}))
    flow = rng.choice((None, "f0"))
    match rng.choice("stop hold hold hold resume resume resume suppress allow allow allow".split()):
        case "stop":
            return Command(what="stop", flow=flow, data=data, **base)
        case "hold":
            return Command(what="hold", flow=flow, data=data, **base)
        case "resume":
            some = rng.choice(({}, {}, {}, {"key": "x"}))
            return Command(what="resume", flow=flow, data=some, **base)
        case "suppress":
            return Command(what="suppress", flow=flow, **base)
        case _:
            return Command(what="suppress", flow=flow, data={"off": True}, **base)


def _profile(rng: random.Random, base: dict[str, Any], now: int) -> ProfileChange:
    day = f"{rng.choice((1990, 2000))}-{rng.randrange(1, 13):02}-{rng.choice((1, 15, 28)):02}"
    near = datetime.fromtimestamp((now + rng.randrange(3 * DAY)) / 1000, UTC).date().isoformat()
    some: dict[str, Any] = {
        "plan": rng.choice(("pro", "free", None, 7)),
        "score": rng.choice((1, 3, 5, "x")),
        "email": rng.choice(("a@example.com", None)),
        "phone": rng.choice(("+491511", None)),
        "timezone": rng.choice((*ZONES, "Nowhere", None)),
        "day": rng.choice((day, near, near, "2026-03-29", "2028-02-29", "soon", None)),
        "seen": now - rng.randrange(3 * DAY),
        "name": "Kim",
        "keen": rng.choice((True, False)),
        "list": rng.sample(("x", "y", "z"), 2),
    }
    names = rng.sample(sorted(some), rng.choice((1, 2, 5)))
    consent = rng.choice(({}, {}, {"email": rng.random() < 0.5}, {"log": rng.random() < 0.6}))
    consent |= rng.choice(({}, {"club": True}, {"email:news": False}, {"news": rng.random() < 0.5}))
    tag = rng.choice(((), (), ("hot",)))
    less: Data = rng.choice(({}, {}, {}, {"untag": ("hot",)}, {"unset": ("plan", "day")}))
    names = [name for name in names if name not in less.get("unset", ())]
    told = {n: some[n] for n in names}
    return ProfileChange(set=told, consent=consent, tag=tag, **less, **base)
