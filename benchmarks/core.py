"""The core alone: what one event costs, and how large one user's state is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks.yardstick import microseconds
from towpath.cli.projects import load_projects
from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine.step import Done, fold, step
from transforms.flows.protocol.signals import Event, ProfileChange, Signal
from transforms.wire.decode import decode_json, decode_used

FLOWS = Path(__file__).parent / "flows"
START = 1_704_067_200_000
HOUR = 3_600_000
MOVES = ("first", "second", "third")


class Figure(NamedTuple):
    """One result: what, how much, in what unit, and the bound it is held to, if any."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    at_least: bool = False


@cache
def catalog(flows: tuple[str, ...]) -> Catalog:
    """Publish and start some flows of the benchmark."""
    (found,) = load_projects([str(FLOWS)])
    project = found.project
    return catalog_of(
        records_of(
            {name: project.flow_text(name) for name in flows},
            project.space_text,
            {name: project.template_texts(name) for name in flows},
        )
    )


def line(number: int, total: int, name: str = "Order") -> bytes:
    """Write an event of 450 bytes as JSON."""
    context: dict[str, object] = {"ip": "192.0.2.1"}
    record = {
        "type": "track",
        "messageId": f"message-{number:08}",
        "userId": "user-0001",
        "timestamp": "2024-01-03T10:00:00.000Z",
        "event": name,
        "properties": {"total": total, "currency": "EUR", "country": "DE", "items": 3, "note": ""},
        "context": context,
    }
    context["pad"] = "x" * (450 - len(json.dumps(record)) - len(', "pad": ""'))
    return json.dumps(record).encode()


def live() -> bytes:
    """Make the state of a user with three live sessions and ten orders behind."""
    signup = Event(id="signup", user="user-0001", time=START, name="Signup")
    orders = [
        Event(id=f"o{n}", user="user-0001", time=START + n * HOUR, name="Order",
              properties={"total": 60 if n % 5 == 0 else 10})
        for n in range(1, 11)
    ]  # fmt: skip
    done = fold(catalog(MOVES), None, [signup, *orders])
    assert isinstance(done, Done)
    assert done.state is not None
    return done.state


def event_cost(matching: int) -> float:
    """Time decoding, stepping and encoding where one event in ``matching`` moves the sessions."""
    known, state = catalog(MOVES), live()
    lines = [line(n, 60 if n % matching == 0 else 10) for n in range(1_000)]
    numbers = count()

    def one() -> Done:
        signal = decode_json(lines[next(numbers) % 1_000])
        assert isinstance(signal, Event)
        done = step(known, state, signal)
        assert isinstance(done, Done)
        return done

    messages = sum("message" in str(type(o)).lower() for o in one().outputs)
    assert messages == 3, "the first event moves three sessions"
    return microseconds(one, 2_000)


def unread_cost() -> float:
    """Time an event whose name nothing reads."""
    heard, text = catalog(MOVES).events_read_since, line(1, 10, "Page Viewed")
    assert decode_used(text, heard) is None
    return microseconds(lambda: decode_used(text, heard), 20_000)


def state_size() -> int:
    """Measure a user with 5 traits, a live session, 3 past entries and 20 remembered ids."""
    done = fold(catalog(("stay",)), None, list(_stays()))
    assert isinstance(done, Done)
    assert done.state is not None
    return len(done.state)


def _stays() -> Iterator[Signal]:
    traits = {"email": "someone@example.org", "first_name": "Someone", "plan": "basic",
              "country": "DE", "timezone": "Europe/Berlin"}  # fmt: skip
    user = "user-0001"
    yield ProfileChange(id="identify", user=user, time=START, set=traits)
    for n in range(19):
        name = "Visit" if n % 2 == 0 and n < 7 else "Leave"
        yield Event(id=f"signal-{n}", user=user, time=START + (n + 1) * HOUR, name=name)


def figures() -> Iterator[Figure]:
    """Measure the core."""
    yield Figure("event of 450 bytes, one in five moves 3 sessions", event_cost(5), "us")
    yield Figure("event of 450 bytes, each moves 3 sessions", event_cost(1), "us", 35.0)
    yield Figure("event that no flow reads", unread_cost(), "us", 1.5)
    yield Figure("state of a user", state_size(), "bytes", 450)
