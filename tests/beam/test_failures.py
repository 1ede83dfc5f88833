"""What cannot be handled becomes one dead letter; everything else continues."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import apache_beam as beam
import msgspec
import pytest

from tests.kit.reminders import AT_ONCE, HOUR, LINES, LOGS, MINUTE, SLACK, SPACE, TEN
from tests.kit.streams import At, Collected, Step, counted, run
from transforms.beam.run_flows import RunFlows
from transforms.flows.engine.step import Done, fold
from transforms.flows.engine.working import decode, encode
from transforms.flows.protocol import outputs, signals
from transforms.flows.protocol.outputs import DeadLetter
from transforms.flows.protocol.reason_codes import FAILED
from transforms.flows.protocol.signals import Event, Signal, Time
from transforms.hosting.catalogs import read_once
from transforms.hosting.receive import Key
from transforms.hosting.settings import Settings
from transforms.wire.decode import decode_json
from transforms.wire.messages import to_envelope

LATER = TEN + 3 * HOUR
END = TEN + 5 * HOUR


def of_a_newer_version(blob: bytes) -> bytes:
    return bytes([blob[0] + 8]) + blob[1:]


def of_this_version(blob: bytes) -> bytes:
    return bytes([blob[0] - 8]) + blob[1:]


def cut_off(blob: bytes) -> bytes:
    return blob[:-3]


def empty(_blob: bytes) -> bytes:
    return b""


def in_a_lost_version(blob: bytes) -> bytes:
    """Put a session into the state whose flow version is in no log, as a defect of the writer
    would.
    """
    state = decode(blob)
    state.sessions[0].version = 9
    return encode(state)


BREAKING: dict[str, Callable[[bytes], bytes]] = {
    "newer": of_a_newer_version,
    "cut": cut_off,
    "empty": empty,
    "lost": in_a_lost_version,
}
REASONS = {"newer": "unreadable_state", "cut": "unreadable_state", "empty": "unreadable_state", "lost": "failed"}  # fmt: skip
CHANGES = BREAKING | {"mend": of_this_version}


class Changed(RunFlows):
    """The job's step, together with events that change the stored state of their user."""

    def process(
        self, element: tuple[Key, bytes], state: Any = RunFlows.STATE, wake: Any = RunFlows.ALARM
    ) -> Any:
        change = CHANGES.get(signals.decode(element[1]).name)
        if change is None:
            return super().process(element, state, wake)
        state.write(change(state.read()))
        return ()


def event(ident: str, user: str, name: str, at: int) -> Event:
    return Event(id=f"{ident}-{user}", user=user, time=at, received=at, name=name)


def given(*events: Event) -> list[tuple[Any, int]]:
    return [(((SPACE, e.user), signals.encode(e)), e.time) for e in events]


def ran(steps: list[Step]) -> Collected:
    flows = Changed(LOGS, Settings(until=END, clock=At()))
    return run(steps, tuple[Key, bytes], lambda events: events | "Run flows" >> beam.ParDo(flows))


def dead_letters(found: Collected) -> dict[str, list[DeadLetter]]:
    """List the dead letters of each user in order."""
    made: dict[str, list[DeadLetter]] = defaultdict(list)
    for (_, user), encoded in found.outputs:
        output = outputs.decode(encoded)
        if isinstance(output, DeadLetter):
            made[user].append(output)
    return made


def broken() -> tuple[list[Step], dict[str, list[Event]]]:
    """Fill a cart, damage the stored state, order within the hour, and order once more later."""
    users = [*BREAKING, "lee"]
    orders = {u: [event("order", u, "Order", TEN + 30 * MINUTE), event("more", u, "Order", LATER)] for u in users}  # fmt: skip
    steps: list[Step] = [
        TEN - 1,
        given(*(event("cart", user, "Cart", TEN) for user in users)),
        TEN + MINUTE,
        given(*(event("break", user, user, TEN + MINUTE) for user in BREAKING)),
        given(*(orders[user][0] for user in users)),
        TEN + 2 * HOUR,
        given(*(orders[user][1] for user in users)),
        TEN + 4 * HOUR,
    ]
    return steps, orders


def test_what_cannot_be_handled_is_a_dead_letter() -> None:
    """An unreadable state and a defect are dead letters with a reason and a step (R7).

    There is one for each signal and one for the timer, which is tried again when the next signal
    comes, and which an unreadable state does not have; outputs of other users are unchanged.
    """
    steps, orders = broken()

    found = ran(steps)

    told = dead_letters(found)
    assert set(told) == set(BREAKING)
    for user, made in told.items():
        alarms = (
            [] if REASONS[user] == "unreadable_state" else [(f"alarm@{TEN + HOUR}", TEN + HOUR)]
        )
        causes = [(f"order-{user}", TEN + 30 * MINUTE), *alarms * 2, (f"more-{user}", LATER)]
        assert [(letter.cause, letter.at) for letter in made] == causes
        assert {letter.reason for letter in made} == {REASONS[user]}
        assert len({letter.id for letter in made}) == len(set(causes))
        assert not any("\n" in letter.detail for letter in made)
    assert told["lost"][0].detail.startswith("KeyError in transforms.flows.")
    assert told["newer"][0].detail.endswith("version 9")
    cart = event("cart", "lee", "Cart", TEN)
    assert found.by_key()[SPACE, "lee"] == by_the_core([cart, *orders["lee"]])


def test_failures_are_counted() -> None:
    """A counter of the job counts the signals and timers that could not be handled."""
    steps, _ = broken()
    every = [element for step in steps if isinstance(step, list) for element in step]
    flows = Changed(AT_ONCE, Settings(until=END, clock=At()))

    found = counted(every, tuple[Key, bytes], lambda events: events | beam.ParDo(flows))

    reasons = ("failed", "unreadable_state")
    failed = sum(found.get(f"towpath.dead_letters.{reason}", 0) for reason in reasons)
    assert failed == 3 * len(BREAKING)


def by_the_core(handled: list[Signal]) -> list[bytes]:
    last = Time(user="lee", at=END - SLACK)
    done = fold(read_once(LINES).catalog, None, [*handled, last])
    assert isinstance(done, Done)
    return [outputs.encode(output) for output in done.outputs]


def test_a_dead_letter_contains_the_complete_signal() -> None:
    """The dead letter contains the failed signal as a record that can be published again."""
    steps, orders = broken()

    told = dead_letters(ran(steps))

    for user in BREAKING:
        records = [(letter.cause, letter.record) for letter in told[user]]
        assert {record for cause, record in records if "@" in cause} <= {None}
        assert [decode_json(one.encode()) for _, one in records if one] == orders[user]


EVERY: list[Signal] = [
    signals.ProfileChange(
        id="p", user="kim", time=TEN, received=TEN + 1, set={"a": [1, None]}, unset=("b",),
        tag=("x",), consent={"email": False},
    ),
    signals.ProfileChange(id="p", user="anon:a7", time=TEN, set={"a": 1.5}, becomes="kim"),
    signals.ProfileChange(id="p", user="kim", time=TEN, becomes="lee"),
    signals.ProfileChange(id="p", user="anon:a7", time=TEN, untag=("x",)),
    signals.AudienceChange(id="a", user="anon:a7", time=1, audience="vip", entered=False),
    signals.CommunicationUpdate(
        id="c", user="kim", time=TEN, communication="m", status="opened", data={"n": 2**62},
    ),
    signals.Inbound(id="i", user="kim", time=TEN, channel="sms", number="+1", text="ja\n", call=True),
    signals.Enter(id="e", user="kim", time=TEN, flow="f", member_of="vip", participant={"x": 1}),
    signals.CallResult(id="r", user="kim", time=TEN, call="c", ok=False, error="late"),
    signals.Command(id="o", user="kim", time=TEN, what="stop", flow="f", sequence=3),
    signals.Forwarded(id="f", user="kim", time=TEN, source="anon:a7", handover="h", signal=b"\xff"),
    signals.Handover(id="h", user="kim", time=TEN, source="anon:a7", state=b"\x01\xff\x00"),
    Event(id="v", user="kim", time=TEN, name="Cart", bypass=True, backfill=True),
]  # fmt: skip


@pytest.mark.parametrize("signal", EVERY, ids=lambda signal: type(signal).__name__)
def test_every_signal_can_be_written_as_a_record(signal: Signal) -> None:
    """Every kind of signal, written as a record, is read back as the same signal."""
    assert decode_json(to_envelope(signal)) == signal


def test_a_user_continues_once_the_state_is_repaired() -> None:
    """A failure leaves the state unchanged: once it is readable, the signals can be published
    again.

    The failed timer is not retried; the next signal fires what was due and sets the next timer.
    """
    again = event("order", "newer", "Order", TEN + 30 * MINUTE)
    late = msgspec.structs.replace(again, received=LATER)
    mend = event("mend", "newer", "mend", LATER)
    cart = event("cart", "newer", "Cart", TEN)
    steps: list[Step] = [
        TEN - 1, given(cart), given(event("break", "newer", "newer", TEN + MINUTE)), given(again),
        TEN + 2 * HOUR, given(mend), [(((SPACE, "newer"), signals.encode(late)), LATER)],
        TEN + 4 * HOUR,
    ]  # fmt: skip

    found = ran(steps)

    sent = [o for o in (outputs.decode(e) for _, e in found.outputs) if not isinstance(o, DeadLetter)]  # fmt: skip
    assert [o.at for o in sent if isinstance(o, outputs.Message)] == [TEN + HOUR]
    assert [o.goal for o in sent if isinstance(o, outputs.Conversion)] == ["ordered"]
    done = fold(read_once(LINES).catalog, None, [cart, late])
    assert isinstance(done, Done)
    assert sent == list(done.outputs)


def test_every_failure_reason_is_documented() -> None:
    """The reasons of failures are in the list of reason codes."""
    assert set(REASONS.values()) <= set(FAILED)
