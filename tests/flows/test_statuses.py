"""What the state stores of messages: which ones, their reported data, and planned ones."""

from __future__ import annotations

from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine.step import Done, step
from transforms.flows.engine.working import decode
from transforms.flows.protocol.outputs import (
    AnyOutput,
    Communication,
    Message,
    Rejection,
    Transition,
)
from transforms.flows.protocol.signals import CommunicationUpdate, Event, Signal, Time

SPACE = "{space: test, channels: {log: {address: user}}}"
NOTES = {"note": "Hello"}
START = 1_772_323_200_000
DAY = 86_400_000

ASKING = """
flow: asking
enter: [{event: Asked}]
steps:
  ask: {send: log, template: note}
  stay: {wait_for: [{replied: ask, then: thank}], timeout: {after: 60d, then: over}}
  thank: {end: thanked}
  over: {end: silence}
"""
CHATTY = """
flow: chatty
enter: [{event: Chat}]
steps:
  say: {send: log, template: note}
"""
LATER = """
flow: later
enter: [{event: Asked}]
steps:
  ask: {send: log, template: note, at: "18:00"}
  stay: {wait_for: [{failed: ask, then: over}], timeout: {after: 9d, then: calm}}
  over: {end: failed}
  calm: {end: calm}
"""


def catalog(**flows: str) -> Catalog:
    """Return a catalog of flows that send notes."""
    return catalog_of(records_of(flows, SPACE, dict.fromkeys(flows, NOTES)))


class User:
    """A user who receives one signal after another."""

    def __init__(self, known: Catalog) -> None:
        self.catalog = known
        self.state: bytes | None = None
        self.wake: int | None = None

    def handle(self, signal: Signal) -> tuple[AnyOutput, ...]:
        """Handle a signal; return its outputs."""
        done = step(self.catalog, self.state, signal)
        assert isinstance(done, Done)
        self.state, self.wake = done.state, done.wake_at
        return done.outputs


def event(name: str, n: int, at: int) -> Event:
    """Return an event."""
    return Event(id=f"{name}{n}", user="kim", time=at, name=name)


def status(sent: str, status: str, at: int, **data: object) -> CommunicationUpdate:
    """Return a status of a message."""
    return CommunicationUpdate(
        id=f"{status}{at}", user="kim", time=at, communication=sent, status=status, data=data
    )


def message(outputs: tuple[AnyOutput, ...]) -> str:
    """Return the id of the only communication."""
    (name,) = {o.communication for o in outputs if isinstance(o, Communication)}
    return name


def test_a_message_that_a_session_waits_on_is_not_dropped() -> None:
    """R12: neither a hundred messages of another flow nor a month drop a message that a wait reads."""
    user = User(catalog(asking=ASKING, chatty=CHATTY))
    asked = message(user.handle(event("Asked", 1, START)))
    for n in range(150):
        user.handle(event("Chat", n, START + n * 1000))
    user.handle(event("Chat", 200, START + 40 * DAY))

    outputs = user.handle(status(asked, "replied", START + 41 * DAY))

    ends = [o.reason for o in outputs if isinstance(o, Transition) and o.what == "ended"]
    assert ends == ["thanked"]


def test_old_messages_are_dropped() -> None:
    """Section 9: of messages that no session waits on, 100 are stored, for 30 days."""
    user = User(catalog(chatty=CHATTY))
    for n in range(150):
        user.handle(event("Chat", n, START + n * 1000))
    assert len(decode(user.state or b"").sent_archive) == 100

    user.handle(event("Chat", 200, START + 40 * DAY))
    assert len(decode(user.state or b"").sent_archive) == 1


def test_a_planned_message_with_a_final_status_is_not_sent() -> None:
    """R14: a planned message that is canceled or failed from outside is not sent any more."""
    user = User(catalog(later=LATER))
    asked = message(user.handle(event("Asked", 1, START)))

    outputs = user.handle(status(asked, "failed", START + 1000))

    rows = [(o.status, o.due) for o in outputs if isinstance(o, Communication)]
    ends = [o.reason for o in outputs if isinstance(o, Transition) and o.what == "ended"]
    assert (rows, ends, user.wake) == ([("failed", None)], ["failed"], None)
    later = user.handle(Time(user="kim", at=START + 9 * DAY))
    assert not [o for o in later if isinstance(o, Message)]


def test_reported_data_is_limited() -> None:
    """Section 9: 4 KB of reported data per message; more is refused, but the status still counts."""
    user = User(catalog(asking=ASKING))
    asked = message(user.handle(event("Asked", 1, START)))
    reasons = []
    for n in range(200):
        data = {f"field{n}": "x" * 1_000}
        outputs = user.handle(status(asked, "opened" if n < 199 else "replied", START + n, **data))
        reasons += [o.reason for o in outputs if isinstance(o, Rejection)]

    assert reasons == ["value_too_large"] * 196
    assert len(user.state or b"") < 24 * 1024
    assert [o.what for o in outputs if isinstance(o, Transition)][-1] == "ended"


def test_reported_data_cannot_fake_a_status() -> None:
    """R17: a reported field with the name of a status is data, and ends no wait for the status."""
    flow = ASKING.replace("stay:", "pause: {wait: 1h}\n  stay:")
    user = User(catalog(asking=flow))
    asked = message(user.handle(event("Asked", 1, START)))
    user.handle(status(asked, "opened", START + 1, replied=True))

    outputs = user.handle(Time(user="kim", at=START + DAY))

    assert [o.what for o in outputs if isinstance(o, Transition)][-1] == "waiting"
