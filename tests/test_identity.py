"""Keys that become one user, and users that are erased: at random, in any order (R8, R32)."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import pytest

from tests.kit.keyed_users import KeyedUser, keyed_user, rerun_differences, violations_of
from tests.kit.keys import Keys
from tests.kit.worlds import HOUR, world
from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.engine.identity.erase import bare_state
from transforms.flows.engine.step import Done, fold
from transforms.flows.engine.working import decode, encode, stored
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.control_records import Stop
from transforms.flows.protocol.signals import (
    Command,
    Enter,
    Event,
    Forwarded,
    Handover,
    ProfileChange,
    Signal,
    Time,
)
from transforms.flows.state.stored import Identity, StoredState

BOUND = 256 * 1024
WORLDS = 60


def ran(seed: int) -> KeyedUser:
    """Run the story of a user with several keys in one of some worlds."""
    return keyed_user(world(seed % WORLDS), seed)


@pytest.mark.parametrize("seed", range(40))
def test_no_order_of_delivery_loses_a_session(seed: int) -> None:
    """With any identifies and erasures, in any order of delivery, no session is lost or doubled.

    Each session has ended, or is in one state with a timer; no id is of two outputs; states keep
    their limit.
    """
    assert list(violations_of(ran(seed))) == []


def test_the_stories_contain_what_they_test() -> None:
    """Handovers, forwarded signals, sessions that join and merge, cycles and erasures occur."""
    found: set[str] = set()
    for seed in range(60):
        for output in ran(seed).keys.outputs:
            found |= {str(output.__struct_config__.tag), str(getattr(output, "reason", ""))}

    assert found >= set(
        "handover forwarded erased state_export joined merged identity_cycle".split()
    )


@pytest.mark.parametrize("seed", range(100, 112))
def test_pieces_timers_and_duplicates_change_nothing(seed: int) -> None:
    """One key's signals in one go, with timers, and handovers twice or later: the same bytes.

    (R1, R3, R5, R8.)
    """
    assert list(rerun_differences(ran(seed), random.Random(f"pieces {seed}"))) == []


# --- a handover and what waits for it -------------------------------------------------------

CART = """
flow: cart
enter: [{event: Cart}]
exit: [{event: Order}]
steps:
  pause: {wait: 1h}
  note: {send: log, template: note}
  stay: {wait: 2d}
"""
SPACE = "space: shop\nchannels:\n  log: {address: user}\n"
START = 1_772_323_200_000
CATALOG = catalog_of(records_of({"cart": CART}, SPACE, {"cart": {"note": "Hello"}}))


def cart(name: str, user: str, at: int) -> Event:
    """Return an event that starts the flow."""
    return Event(id=name, user=user, time=START + at, name="Cart")


def identify(name: str, user: str, becomes: str, at: int) -> ProfileChange:
    """Return an identify that names both keys."""
    return ProfileChange(id=name, user=user, becomes=becomes, time=START + at)


def handed_over(before: list[Signal], after: list[Signal]) -> list[Signal]:
    """Return what an anonymous key sends to the user's key: the handover, then forwarded signals."""
    keys = Keys(CATALOG)
    for signal in [*before, identify("i", "anon:1", "kim", HOUR // 2), *after]:
        keys.give(signal)
    return list(keys.ways["anon:1", "kim"])


AFTER: list[Signal] = [
    ProfileChange(id="p", user="anon:1", time=START + HOUR // 2 + 1, set={"name": "Kim"}),
    Event(id="o", user="anon:1", time=START + HOUR // 2 + 2, name="Order"),
    cart("c3", "anon:1", HOUR // 2 + 3),
]


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("twice", [False, True])
def test_a_handover_may_arrive_at_any_place(place: int, twice: bool) -> None:
    """Forwarded signals wait for the handover that they name: the merge is always the same (R8)."""
    told = handed_over([cart("c1", "anon:1", 0)], AFTER)
    own = [cart("c2", "kim", 60_000)]
    assert isinstance(told[0], Handover)

    def run(order: list[Signal]) -> tuple[list[bytes], StoredState]:
        keys = Keys(CATALOG)
        for signal in [*own, *order]:
            keys.give(signal)
        blob = keys.states["kim"]
        assert blob is not None
        return [out.encode(output) for output in keys.outputs], stored(decode(blob))

    order = [*told[1 : place + 1], told[0], *told[place + 1 :]]
    assert run(order + order * twice) == run(told)


def test_at_most_a_hundred_signals_wait() -> None:
    """A hundred forwarded signals wait for a handover; more are refused with a reason (R8)."""
    more: list[Signal] = [cart(f"m{n}", "anon:1", HOUR + n) for n in range(120)]
    told = handed_over([], more)
    keys = Keys(CATALOG)
    for signal in told[1:]:
        keys.give(signal)

    reasons = [o.reason for o in keys.outputs if isinstance(o, out.Rejection)]
    assert reasons == ["too_many_held"] * 21
    keys.give(told[0])
    entered = [o for o in keys.outputs if getattr(o, "what", "") == "entered"]
    assert [o.at for o in entered] == [START + HOUR]


@pytest.mark.parametrize("seed", range(20))
def test_two_keys_that_name_each_other(seed: int) -> None:
    """Two keys that name each other at the same time settle, and lose nothing (R8)."""
    keys, rng = Keys(CATALOG), random.Random(seed)
    names = ("kim", "lee", "mia")[: 2 + seed % 2]
    for n, key in enumerate(names):
        keys.give(cart(f"c{n}", key, n))
    for n, key in enumerate(names):
        keys.give(identify(f"i{n}", key, names[(n + 1) % len(names)], 60_000 + n))
    keys.deliver(rng)
    for key in names:
        keys.give(Event(id=f"o{key}", user=key, time=START + 120_000, name="Order"))
    keys.deliver(rng)

    reasons = {getattr(o, "reason", None) for o in keys.outputs}
    assert "identity_cycle" in reasons
    ended = [o.session for o in keys.outputs if getattr(o, "what", "") == "ended"]
    assert len(ended) == len(set(ended)) == len(names)


def test_nothing_is_forwarded_without_end() -> None:
    """Keys that forward in a circle, by a defect or a lost handover, stop after a number of hops
    (R6).
    """
    keys = Keys(CATALOG)
    for key, other in (("kim", "lee"), ("lee", "kim")):
        mark = Identity(to=other, handover="lost")
        keys.states[key] = encode(bare_state(START, 1 << 53, mark))
    keys.give(cart("c", "kim", 0))
    keys.give(handed_over([], [])[0])
    keys.deliver(random.Random(1))

    letters = [o.reason for o in keys.outputs if isinstance(o, out.DeadLetter)]
    assert letters == ["identity_cycle"] * 2


def test_a_late_handover_fires_overdue_timers() -> None:
    """What was due during a handover is due when it is merged, never before (R8)."""
    told = handed_over([cart("c1", "anon:1", 0)], [])
    late = msgspec.structs.replace(told[0], received=START + 3 * HOUR)  # type: ignore[arg-type]
    keys = Keys(CATALOG)
    keys.give(cart("c2", "kim", 60_000))
    keys.give(Event(id="o", user="kim", time=START + 120_000, name="Order"))
    keys.give(late)
    keys.give(Time(user="kim", at=START + 3 * HOUR))

    (sent,) = [o for o in keys.outputs if isinstance(o, out.Message)]
    assert sent.at == START + 3 * HOUR
    ats = [output.at for output in keys.outputs]
    assert ats == sorted(ats)


def test_a_stop_during_a_handover() -> None:
    """A flow that is stopped during a handover also stops the sessions in it (R26, R29)."""
    told = handed_over([cart("c1", "anon:1", 0)], [])
    log = [*CATALOG.records, Stop(sequence=9, effective_at=START + HOUR, flow="cart")]
    keys = Keys(catalog_of(log))
    keys.give(msgspec.structs.replace(told[0], received=START + 2 * HOUR))  # type: ignore[arg-type]

    (ended,) = [o for o in keys.outputs if getattr(o, "what", "") == "ended"]
    assert (ended.reason, ended.at) == ("stopped", START + HOUR)  # type: ignore[union-attr]


def test_a_merged_state_keeps_its_limits() -> None:
    """The data of two states together keeps to the limits, and each refusal has its reason."""
    many = CART.replace("exit:", "simultaneous: true\nexit:")
    catalog = catalog_of(records_of({"cart": many}, SPACE, {"cart": {"note": "Hello"}}))
    keys = Keys(catalog)
    for n in range(80):
        keys.give(cart(f"a{n}", "anon:1", n))
        keys.give(cart(f"k{n}", "kim", n))
    for n in range(25):
        for user in ("anon:1", "kim"):
            large = {f"{user[0]}{n}": "x" * 2_000}
            name = f"{user}{n}"
            keys.give(ProfileChange(id=name, user=user, time=START + 1000 + n, set=large))
    keys.give(identify("i", "anon:1", "kim", 5_000))
    keys.deliver(random.Random(1))

    blob = keys.states["kim"]
    assert blob is not None
    assert len(decode(blob).sessions) == 100
    reasons = Counter(str(getattr(o, "reason", "")) for o in keys.outputs)
    ended = [o for o in keys.outputs if getattr(o, "what", "") == "ended"]
    assert [o.reason for o in ended] == ["too_many_sessions"] * 60  # type: ignore[union-attr]
    assert reasons["value_too_large"] == 1
    assert len(blob) < BOUND


def test_a_state_that_would_be_too_large_is_not_merged() -> None:
    """States of over 256 KB together are not merged; later signals of the key are still handled."""
    keys = Keys(CATALOG)
    keys.give(cart("c1", "kim", 0))
    keys.give(cart("c2", "anon:1", 0))
    large = decode(keys.states["anon:1"] or b"")
    large.sessions[0].variables = {"note": "x" * BOUND}
    keys.states["anon:1"] = encode(large)
    keys.give(identify("i", "anon:1", "kim", 60))
    keys.give(Event(id="o", user="anon:1", time=START + HOUR, name="Order"))
    keys.deliver(random.Random(1))

    blob = keys.states["kim"]
    assert blob is not None
    assert len(blob) < 2_000
    assert "state_too_large" in [getattr(o, "reason", "") for o in keys.outputs]
    ended = [(o.user, o.reason) for o in keys.outputs if getattr(o, "what", "") == "ended"]  # type: ignore[union-attr]
    assert ended == [("kim", "state_too_large"), ("kim", "exit_rule")]


def test_a_handover_is_merged_once() -> None:
    """A handover that arrives twice, however late, changes nothing the second time (R8)."""
    told = handed_over([cart("c1", "anon:1", 0)], [])
    keys = Keys(CATALOG)
    for signal in told:
        keys.give(signal)
    before = keys.states["kim"]
    again = msgspec.structs.replace(told[0], received=START + HOUR // 2)  # type: ignore[arg-type]

    assert keys.give(again) == ()
    assert stored(decode(keys.states["kim"] or b"")) == stored(decode(before or b""))


def test_an_unused_event_is_not_forwarded() -> None:
    """An unused event is ignored at the old key, too (R5)."""
    told = handed_over([], [Event(id="n", user="anon:1", time=START + HOUR, name="Nobody")])

    assert [type(signal) for signal in told] == [Handover, Forwarded]


def test_a_handover_forwarded_to_another_key_is_another_output() -> None:
    """A handover that returns after the key forwards elsewhere is forwarded under another id (R30)."""
    told = handed_over([cart("c1", "anon:1", 0)], [])[0]
    keys = Keys(CATALOG)
    for name, other in (("i1", "lee"), ("i2", "mia")):
        keys.give(identify(name, "kim", other, HOUR))
        keys.give(told)

    passed = [o for o in keys.outputs if isinstance(o, out.ForwardedOut) and o.user == "kim"]
    assert len({o.id for o in passed}) == len(passed) == 4


PEOPLE = """
flow: remind
campaign: camp
enter: [{event: Visit, where: participant.due is set}]
steps:
  stay: {wait: 2d}
"""


def test_erased_data_is_not_read() -> None:
    """Data of an erased user decides nothing, even if handled in one call with the erasure (R32)."""
    space = SPACE + "campaigns:\n  camp: {fields: {due: time}}\n"
    catalog = catalog_of(records_of({"remind": PEOPLE}, space, {}))
    row = {"flow": "camp", "operation": "upload", "participant": {"due": "2026-03-09"}}
    given: list[Signal] = [
        Enter(id="u", user="kim", time=START, **row),  # type: ignore[arg-type]
        Event(id="v1", user="kim", time=START + 1, name="Visit"),
        Command(id="x", user="kim", time=START + 2, what="erase"),
        Event(id="v2", user="kim", time=START + 3, name="Visit"),
    ]
    done = fold(catalog, None, given)
    assert isinstance(done, Done)

    entered = [o for o in done.outputs if getattr(o, "what", "") == "entered"]
    assert [o.at for o in entered] == [START + 1]


HELD = """
flow: held
enter: [{changed: plan, held: 1h}]
simultaneous: true
steps:
  stay: {wait: 2d}
"""


def test_a_trigger_overdue_at_two_keys_fires_once() -> None:
    """A trigger that is overdue at two keys of a user at one instant starts one session (R5, R8)."""
    keys = Keys(catalog_of(records_of({"held": HELD}, SPACE, {})))
    for n, key in enumerate(("anon:1", "anon:2")):
        at = START + n
        keys.give(ProfileChange(id=f"p{n}", user=key, time=at, set={"plan": "pro"}))
        keys.give(identify(f"i{n}", key, "kim", HOUR // 2))
    keys.give(ProfileChange(id="k", user="kim", time=START + 3 * HOUR, set={"name": "Kim"}))
    for key in ("anon:1", "anon:2"):
        keys.give(keys.ways[key, "kim"].popleft())
        keys.give(Time(user="kim", at=START + 3 * HOUR))

    entered = [o for o in keys.outputs if getattr(o, "what", "") == "entered"]
    assert [o.at for o in entered] == [START + 3 * HOUR]
