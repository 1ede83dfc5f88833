"""Export and import of a user's state: nothing changes, and invalid states are refused."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from tests.kit.histories import history
from tests.kit.worlds import DAY, world
from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.engine.identity.state_data import from_data, to_data
from transforms.flows.engine.step import Done, fold, step
from transforms.flows.engine.working import decode, encode, stored
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.control_records import Start
from transforms.flows.protocol.signals import AudienceChange, Command, Event, Signal, Time


def ran(catalog: Any, state: bytes | None, *given: Signal) -> tuple[bytes | None, list[bytes]]:
    """Run signals; return the state and the encoded outputs."""
    done = fold(catalog, state, given)
    assert isinstance(done, Done)
    return done.state, [out.encode(output) for output in done.outputs]


@pytest.mark.parametrize("seed", range(40))
def test_export_and_import_are_exact(seed: int) -> None:
    """Exported, transferred as JSON and imported for a new user, a state gives the same bytes.

    Only the numbers of flow states and transitions differ: an import uses none again (R30).
    """
    clean = history(world(seed % 30), seed)
    catalog, half = clean.world.catalog(), len(clean.handled) // 2
    first = [given.signal for given in clean.handled[: half + 1]]
    rest = [given.signal for given in clean.handled[half + 1 :]]
    at = clean.handled[half].at
    base = {"id": "move", "user": clean.user, "time": at, "received": at}

    state, found = ran(catalog, None, *first, Command(what="export", **base))
    exported = out.decode(found[-1])
    while not isinstance(exported, out.StateExport):
        found.pop()
        exported = out.decode(found[-1])
    data = msgspec.json.decode(msgspec.json.encode(exported.data))
    there, _ = ran(catalog, None, Command(what="import", data={"state": data}, **base))

    stayed, moved = decode(state or b""), decode(there or b"")
    assert moved.sequence > stayed.sequence or not stayed.sequence
    assert moved.transitions >= stayed.transitions
    stayed.sequence, stayed.transitions = moved.sequence, moved.transitions
    state = encode(stayed)

    until = Time(user=clean.user, at=clean.until)
    assert ran(catalog, there, *rest, until) == ran(catalog, state, *rest, until)


@pytest.mark.parametrize("seed", range(20))
def test_every_state_is_readable(seed: int) -> None:
    """An exported state is plain JSON with names, and is read back as the same state."""
    clean = history(world(seed), seed + 500)
    assert clean.state is not None
    state = decode(clean.state)
    data = to_data(state)

    assert stored(from_data(msgspec.json.decode(msgspec.json.encode(data)))) == stored(state)
    assert data["clock"] == state.clock
    assert [s["id"] for s in data.get("sessions", [])] == [s.id for s in state.sessions]


FLOW = "flow: cart\nenter: [{event: Cart}]\nsteps:\n  pause: {wait: 1d}\n"
START = 1_772_323_200_000


def exported() -> tuple[Any, dict[str, Any]]:
    """Return a catalog, and the data of a user with a session."""
    catalog = catalog_of(records_of({"cart": FLOW}, "space: shop", {}))
    cart = Event(id="c", user="kim", time=START, name="Cart")
    _, found = ran(catalog, None, cart, Command(what="export", id="x", user="kim", time=START))
    (told,) = [o for o in map(out.decode, found) if isinstance(o, out.StateExport)]
    return catalog, told.data


def refusal_of(catalog: Any, data: object) -> str | None:
    """Import data for a new user; return the reason if it is refused."""
    order = Command(what="import", id="i", user="lee", time=START + 1, data={"state": data})
    done = step(catalog, None, order)
    assert isinstance(done, Done)
    reasons = [o.reason for o in done.outputs if isinstance(o, out.Rejection)]
    assert (done.state is None) == bool(reasons)
    return reasons[0] if reasons else None


def test_a_state_of_another_space_or_log_is_refused() -> None:
    """A state of another space, or with unknown flows, versions and steps, is refused."""
    catalog, data = exported()
    other = catalog_of(records_of({"cart": FLOW.replace("pause", "rest")}, "space: shop", {}))
    elsewhere = catalog_of(records_of({"cart": FLOW}, "space: else", {}))
    late = data["state"] | {"sessions": [data["state"]["sessions"][0] | {"version": 7}]}

    assert refusal_of(catalog, data) is None
    assert refusal_of(other, data) == "other_log"
    assert refusal_of(elsewhere, data) == "other_log"
    assert refusal_of(catalog, data | {"state": late}) == "other_log"
    assert refusal_of(catalog, data | {"format": 2}) == "invalid_state"
    large = data["state"] | {"traits": {"x": "y" * 300_000}}
    assert refusal_of(catalog, data | {"state": large}) == "invalid_state"


def test_time_does_not_go_back() -> None:
    """What was due before the import is due at the import, including audience changes (R1)."""
    space = 'space: shop\naudiences:\n  busy: count(event "Cart" within last 3d) >= 1\n'
    catalog = catalog_of(records_of({"cart": FLOW}, space, {}))
    cart = Event(id="c", user="kim", time=START, name="Cart")
    _, found = ran(catalog, None, cart, Command(what="export", id="x", user="kim", time=START))
    (told,) = [o for o in map(out.decode, found) if isinstance(o, out.StateExport)]
    at, data = START + 9 * DAY, {"state": told.data}
    order = Command(what="import", id="i", user="lee", time=at, data=data)
    _, found = ran(catalog, None, order, Time(user="lee", at=at))

    assert [(o.audience, o.entered, o.at) for o in map(out.decode, found) if _of_audience(o)] == [
        ("busy", False, at)
    ]
    assert {output.at for output in map(out.decode, found)} == {at}


SENDS = """flow: cart
enter: [{event: Cart}]
steps:
  first: {wait: 1d}
  note: {send: log, template: note}
  second: {wait: 1d}
"""


@pytest.mark.parametrize("days", [0, 1, 2])
def test_no_id_is_used_twice(days: int) -> None:
    """A state imported while its session runs, later, or after its end uses no id again (R30)."""
    space = "space: shop\nchannels:\n  log: {address: user}\n"
    catalog = catalog_of(records_of({"cart": SENDS}, space, {"cart": {"note": "Hello"}}))
    cart = Event(id="c", user="kim", time=START, name="Cart")
    export = Command(what="export", id="x", user="kim", time=START)
    _, found = ran(catalog, None, cart, export)
    (told,) = [o for o in map(out.decode, found) if isinstance(o, out.StateExport)]
    data, at = {"state": told.data, "replace": True}, START + days * DAY + 1
    orders = [
        Command(what="import", id=f"i{n}", user="kim", time=at + n * 3 * DAY, data=data)
        for n in range(2)
    ]
    _, found = ran(catalog, None, cart, export, *orders, Time(user="kim", at=at + 9 * DAY))
    outputs = [out.decode(output) for output in found]

    assert len({output.id for output in outputs}) == len(outputs)
    assert sum(isinstance(output, out.Message) for output in outputs) == 2 + (days > 0)


MEMBERS = """flow: club
enter: [{audience: vip, when: member}]
steps:
  pause: {wait: 1d}
"""


def test_a_launch_since_the_export_is_not_repeated() -> None:
    """An import over a state that had a control record does not apply it again (R29, R30)."""
    space = "space: shop\naudiences: {vip: static}\n"
    *records, start = records_of({"club": MEMBERS}, space, {})
    assert isinstance(start, Start)
    launch = msgspec.structs.replace(start, effective_at=START + DAY // 4)
    catalog = catalog_of([*records, launch])
    joins = AudienceChange(id="v", user="kim", time=START, audience="vip", entered=True)
    export = Command(what="export", id="x", user="kim", time=START)
    _, found = ran(catalog, None, joins, export)
    (told,) = [o for o in map(out.decode, found) if isinstance(o, out.StateExport)]
    data = {"state": told.data, "replace": True}
    back = Command(what="import", id="i", user="kim", time=START + DAY // 2, data=data)
    _, found = ran(catalog, None, joins, export, back, Time(user="kim", at=START + 9 * DAY))
    outputs = [out.decode(output) for output in found]

    moves = [(o.what, o.reason) for o in outputs if isinstance(o, out.Transition)]
    assert moves[0] == ("entered", "audience")
    assert moves[-1] == ("ended", "replaced")
    assert moves.count(("entered", "audience")) == 1
    assert len({output.id for output in outputs}) == len(outputs)


def _of_audience(output: out.AnyOutput) -> bool:
    return isinstance(output, out.AudienceUpdate)


@pytest.mark.parametrize("seed", range(200))
def test_damaged_data_is_refused(seed: int) -> None:
    """Data that was changed anywhere is refused or imported, and never raises."""
    catalog, data = exported()
    rng = random.Random(seed)
    spoilt = _damaged(rng, msgspec.json.decode(msgspec.json.encode(data)))
    order = Command(what="import", id="i", user="lee", time=START + 1, data={"state": spoilt})
    done = step(catalog, None, order)
    assert isinstance(done, Done)

    later = step(catalog, done.state, Time(user="lee", at=START + 2 * DAY))
    assert isinstance(later, Done)


def _damaged(rng: random.Random, value: Any) -> Any:
    """Change one value at random."""
    strange: Any = rng.choice((None, "?", -1, [], {}, 2**70, True))
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(sorted(value))
        if rng.random() < 0.2:
            return {key: item for key, item in value.items() if key != name}
        return value | {name: _damaged(rng, value[name])}
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = rng.randrange(len(value))
        return [*value[:place], _damaged(rng, value[place]), *value[place + 1 :]]
    return strange
