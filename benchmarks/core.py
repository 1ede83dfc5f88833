"""The core alone: what one event costs, and how large one user's state is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import count
from pathlib import Path

from benchmarks.ratios import Figure, in_turns, ratio, timed
from towpath.cli.projects import load_projects
from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine.step import Done, fold, step
from transforms.flows.protocol.control_records import ControlRecord
from transforms.flows.protocol.signals import Event, ProfileChange, Signal
from transforms.wire.decode import decode_json, decode_used

FLOWS = Path(__file__).parent / "flows"
START = 1_704_067_200_000
HOUR = 3_600_000
MOVES = ("first", "second", "third")


def records(paths: Iterable[Path], flows: Iterable[str], settings: str = "") -> list[ControlRecord]:
    """Return the records that publish and start flows; ``settings`` are more lines of the space."""
    (found,) = load_projects(list(map(str, paths)))
    project, names = found.project, tuple(flows)
    return records_of(
        {name: project.flow_text(name) for name in names},
        f"{project.space_text or ''}{settings}",
        {name: project.template_texts(name) for name in names},
    )


@cache
def catalog(flows: tuple[str, ...]) -> Catalog:
    """Publish and start some flows of the benchmark."""
    return catalog_of(records([FLOWS], flows))


def line(number: int, total: int, name: str = "Order", user: str = "user-0001") -> bytes:
    """Write an event of 450 bytes as JSON."""
    context: dict[str, object] = {"ip": "192.0.2.1"}
    record = {
        "type": "track",
        "messageId": f"message-{number:08}",
        "userId": user,
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


def event_step(matching: int) -> Callable[[], object]:
    """Decode, step and encode, where one event in ``matching`` moves the sessions."""
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
    return one


def unread() -> Callable[[], object]:
    """Decode an event whose name nothing reads."""
    heard, text = catalog(MOVES).events_read_since, line(1, 10, "Page Viewed")
    assert decode_used(text, heard) is None
    return lambda: decode_used(text, heard)


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


def figures(rounds: int, times: int) -> Iterator[Figure]:
    """Compare the core with reading the same JSON by Python's standard library."""
    text = line(1, 60)
    floor = "json.loads of its 450 bytes"
    contestants = {
        "event that moves 3 sessions, with decoding and states as bytes": timed(
            event_step(1), times
        ),
        "the same in a stream where one event in five moves them": timed(event_step(5), times),
        "event that no flow reads": timed(unread(), 10 * times),
        floor: timed(lambda: json.loads(text), 10 * times),
    }
    spent = in_turns(contestants, rounds)
    for name, most in zip(contestants, (18.0, 11.0, 0.5), strict=False):
        yield Figure(name=name, floor=floor, value=ratio(spent, name, floor), most=most)
    yield Figure(name="state of a user", value=state_size(), unit="bytes", most=450)
