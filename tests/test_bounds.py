"""A value over a limit is refused with a reason; everything else continues."""

from __future__ import annotations

import pytest

from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.engine.step import Done, step
from transforms.flows.engine.working import decode
from transforms.flows.protocol.outputs import Communication
from transforms.flows.protocol.signals import (
    AudienceChange,
    Enter,
    Event,
    ProfileChange,
    Signal,
    Time,
)

FLOW = """
flow: many
enter: [{event: Started}, {api: true}]
simultaneous: true
steps:
  note: {update: {session.list: entry.list}}
  pause: {wait: 30d}
"""
ONCE = """
flow: once
enter: [{event: Started}]
steps:
  over: {end: done}
"""
START = 1_772_323_200_000


class User:
    """A user who receives one signal after another."""

    def __init__(self, **flows: str) -> None:
        self.catalog = catalog_of(records_of(flows, "space: bounds", {}))
        self.state: bytes | None = None

    def handle(self, signal: Signal) -> list[str]:
        """Handle a signal; return the reasons of refusals."""
        done = step(self.catalog, self.state, signal)
        assert isinstance(done, Done)
        self.state = done.state
        return [o.reason for o in done.outputs if type(o).__name__ == "Rejection"]

    @property
    def size(self) -> int:
        """Return the size of the state in bytes."""
        return len(self.state or b"")


def started(n: int, at: int | None = None, **properties) -> Event:
    """Return the n-th event."""
    t = START + n * 1000 if at is None else at
    return Event(id=f"e{n}", user="kim", time=t, name="Started", properties=properties)


def test_live_sessions_are_limited() -> None:
    """The hundred and first live session is refused."""
    user = User(many=FLOW)

    assert [user.handle(started(n)) for n in range(100)] == [[]] * 100
    assert user.handle(started(100)) == ["too_many_sessions"]


def test_remembered_ids_are_limited() -> None:
    """Two thousand ids are remembered; an older signal may be a duplicate and is refused (R5)."""
    user = User(once=ONCE)
    for n in range(2_100):
        assert user.handle(started(n)) == []

    assert user.handle(started(2_099)) == [], "seen before"
    assert user.handle(started(150)) == [], "seen before"
    assert user.handle(started(3)) == ["too_old"], "forgotten for lack of room"
    assert user.handle(started(9_999, at=START + 99_000)) == ["too_old"]
    assert user.handle(started(9_998, at=START + 200_000)) == [], "a new one that is late"


def test_entry_data_is_limited() -> None:
    """The entry data of sessions is limited, for one and for all together."""
    user = User(many=FLOW)

    assert user.handle(started(1, list="x" * 40_000)) == ["value_too_large"]
    for n in range(20):
        user.handle(started(n + 10, list="x" * 30_000))
    assert user.size < 256 * 1024


def test_a_profile_is_limited() -> None:
    """A change to a profile over 64 KB is refused as a whole, and the profile stays."""
    user = User(many=FLOW)
    for n in range(40):
        change = {f"t{n}": "x" * 3_000}
        found = user.handle(ProfileChange(id=f"p{n}", user="kim", time=START + n, set=change))
        assert found == ([] if n < 21 else ["value_too_large"])
    assert user.size < 80 * 1024


def test_the_state_stays_below_its_limit() -> None:
    """Whatever a user receives at once, the state stays below 256 KB."""
    user = User(many=FLOW)
    for n in range(60):
        large = {f"t{n}": "x" * 2_000}
        user.handle(ProfileChange(id=f"p{n}", user="kim", time=START + n, set=large))
    for n in range(3_000):
        user.handle(started(n, list="x" * 3_000))
        if n % 100 == 0:
            data = {"list": "y" * 20_000}
            at = START + n * 1000
            user.handle(Enter(id=f"n{n}", user="kim", time=at, flow="many", data=data))

    assert user.size < 256 * 1024


NIGHT = """
flow: night
enter: [{event: Started}]
simultaneous: true
steps:
  greet: {send: log, template: note}
"""


def test_planned_messages_are_limited() -> None:
    """The hundred and first planned message is refused, none of the others is lost."""
    space = "{space: bounds, quiet_hours: 23:00-08:00, channels: {log: {address: user}}}"
    user = User()
    user.catalog = catalog_of(records_of({"night": NIGHT}, space, {"night": {"note": "Hello"}}))
    rows = []
    for signal in [*(started(n) for n in range(105)), Time(user="kim", at=START + 86_400_000)]:
        done = step(user.catalog, user.state, signal)
        assert isinstance(done, Done)
        user.state = done.state
        rows += [(o.status, o.reason) for o in done.outputs if isinstance(o, Communication)]

    assert rows[99] == ("planned", None)
    assert rows[100:105] == [("skipped", "too_many_planned")] * 5
    assert rows[105:] == [("active", None)] * 100


def test_tags_consents_and_audiences_are_limited() -> None:
    """Tags, consents and audiences are limited; consent is applied even if a large trait is
    refused.
    """
    user = User(many=FLOW)
    reasons = set()
    for n in range(1_200):
        name = f"name{n}" * 8
        base = {"user": "kim", "time": START + n * 60_000}
        reasons |= set(user.handle(ProfileChange(id=f"t{n}", tag=(name,), **base)))
        reasons |= set(user.handle(ProfileChange(id=f"c{n}", consent={name: True}, **base)))
        reasons |= set(user.handle(AudienceChange(id=f"a{n}", audience=name, entered=True, **base)))

    assert reasons == {"value_too_large"}
    assert user.size < 160 * 1024

    change = ProfileChange(
        id="x",
        user="kim",
        time=START + 90_000_000,
        set={"t": "x" * 65_536},
        consent={"name0" * 8: False},
    )
    assert user.handle(change) == ["value_too_large"]
    assert decode(user.state).consent["name0" * 8] is False


WHOLE = """
flow: whole
enter: [{event: Started}]
steps:
  keep: {update: {session.list: entry.list, session.n: entry.list}}
  more: {increment: {session.n: entry.list, user.n: entry.list}}
  pause: {wait: 1d}
"""


def test_numbers_are_limited_to_64_bits() -> None:
    """A whole number over 64 bits is refused; incrementing stops at 64 bits."""
    user = User(whole=WHOLE)
    huge = ProfileChange(id="p", user="kim", time=START, set={"n": 10**30})
    assert user.handle(huge) == ["value_too_large"]
    assert user.handle(started(1, list=10**30)) == ["value_too_large"]
    user.handle(ProfileChange(id="q", user="kim", time=START + 1500, set={"n": 9 * 10**18}))

    assert user.handle(started(2, list=9 * 10**18)) == []
    state = decode(user.state or b"")
    assert state.sessions[0].variables["n"] == state.traits["n"] == 2**63 - 1


WITHOUT = """
flow: without
enter:
  - {event: Started, without: [{event: Over}], within: 1d}
steps:
  keep: {update: {session.list: entry.list}}
"""


def test_data_of_a_pending_trigger_is_limited() -> None:
    """What a trigger keeps until it fires is limited like an entry."""
    user = User(without=WITHOUT)

    assert user.handle(started(1, list="x" * 40_000)) == ["value_too_large"]
    assert user.handle(started(2, list="x" * 20_000)) == []
    assert 20_000 < user.size < 24_000


BASKETS = """
flow: baskets
enter:
  - sequence: [{event: Started}, {event: Over, where: event.list == entry.list}]
    within: 1d
key: entry.cart
steps:
  over: {end: over}
"""


def test_what_a_first_part_keeps_is_limited() -> None:
    """What later parts of a combination compare with is limited like an entry."""
    user = User(baskets=BASKETS)

    assert user.handle(started(1, cart=1, list="x" * 40_000)) == ["value_too_large"]
    assert user.handle(started(2, cart=1, list="x" * 20_000)) == []
    assert 20_000 < user.size < 24_000


def test_combinations_that_wait_are_limited() -> None:
    """A user waits for at most a hundred combinations; one that has begun goes on."""
    user = User(baskets=BASKETS)
    for n in range(100):
        assert user.handle(started(n, cart=n)) == []

    assert user.handle(started(100, cart=100)) == ["too_many_pending"]
    assert user.handle(started(101, cart=99)) == []


def long(name: str, steps: int) -> str:
    """Return a flow of this many steps."""
    lines = "".join(f"  s{n}: {{update: {{session.n: '1'}}}}\n" for n in range(steps))
    return f"flow: {name}\nenter: [{{event: Started}}]\nsteps:\n{lines}"


def test_steps_are_counted_for_each_session() -> None:
    """R6: steps of other flows on the same signal do not end a session that ran few."""
    user = User(a=long("a", 480), b=long("b", 480), c=long("c", 60))
    done = step(user.catalog, None, started(1))
    assert isinstance(done, Done)

    ends = [o.reason for o in done.outputs if getattr(o, "what", "") == "ended"]
    assert ends == ["completed"] * 3


@pytest.mark.slow
def test_steps_of_all_sessions_are_bounded() -> None:
    """R6: at most ten thousand steps run on one signal, over all sessions of the user."""
    user = User(**{f"f{n:02}": long(f"f{n:02}", 480) for n in range(22)})
    done = step(user.catalog, None, started(1))
    assert isinstance(done, Done)

    ends = [o.reason for o in done.outputs if getattr(o, "what", "") == "ended"]
    assert ends == ["completed"] * 20 + ["too_many_steps"] * 2
