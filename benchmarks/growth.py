"""What an event costs with more and more flows, and with more and more sessions of its user.

An event moves one session; its cost is relative to that with one flow and one session. States are
bytes, as in a stream. The growth by users is measured by the replay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.core import FLOWS, HOUR, START
from benchmarks.ratios import Figure, Growth, in_turns, ratio, timed
from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine.step import Done, fold, step
from transforms.flows.protocol.control_records import ControlRecord
from transforms.flows.protocol.signals import Event

USER = "user-0001"
SIZES = (1, 10, 100, 300)
MOST_SESSIONS = 100
"""The limit of a user."""
LOOKS = "flow: {name}\nenter:\n  - {{event: Order, where: event.total >= 1000}}\nsteps: {{done: {{end: quiet}}}}\n"
KEYED = """
flow: first
key: entry.order
enter:
  - event: Signup
steps:
  next:
    wait_for:
      - {event: Order, where: event.order == entry.order and event.total >= 50, then: note}
    timeout: {after: 30d, then: done}
  note: {send: log, template: note, then: next}
  done: {end: quiet}
"""


def log_of(flows: dict[str, str], more_events: str = "") -> list[ControlRecord]:
    """Publish and start flows; the space has more events."""
    space = (FLOWS / "space.yaml").read_text() + more_events
    note = {"note": (FLOWS / "messages" / "note.liquid").read_text()}
    return records_of(flows, space, dict.fromkeys(flows, note))


def _catalog(flows: dict[str, str], more_events: str = "") -> Catalog:
    return catalog_of(log_of(flows, more_events))


def _step(known: Catalog, signups: int = 1) -> Callable[[], object]:
    """Make one step of a user with sessions; the event moves one of them."""
    entries = [
        Event(id=f"s{n}", user=USER, time=START, name="Signup", properties={"order": f"order-{n}"})
        for n in range(signups)
    ]
    order = Event(
        id="o",
        user=USER,
        time=START + HOUR,
        name="Order",
        properties={"total": 60, "order": "order-0"},
    )
    begun = fold(known, None, entries)
    assert isinstance(begun, Done)
    state = begun.state
    done = step(known, state, order)
    assert isinstance(done, Done)
    assert sum(type(output).__name__ == "Message" for output in done.outputs) == 1
    return lambda: step(known, state, order)


def flows_with_own_events(flows: int) -> tuple[dict[str, str], str]:
    """Write flows that each wait for events of their own, and these events."""
    text = (FLOWS / "first.yaml").read_text()
    made, events = {"first": text}, ""
    for n in range(1, flows):
        own = text.replace("flow: first", f"flow: f{n}")
        made[f"f{n}"] = own.replace("Signup", f"Signup{n}").replace("Order,", f"Order{n},")
        events += f"  Signup{n}: {{}}\n  Order{n}: {{total: number}}\n"
    return made, events


def _one_reads(flows: int) -> Callable[[], object]:
    return _step(_catalog(*flows_with_own_events(flows)))


def _each_looks(flows: int) -> Callable[[], object]:
    """Make flows whose triggers all look at the event, and refuse it."""
    made = {"first": (FLOWS / "first.yaml").read_text()}
    made |= {f"f{n}": LOOKS.format(name=f"f{n}") for n in range(1, flows)}
    return _step(_catalog(made))


def _sessions(sessions: int) -> Callable[[], object]:
    """Make one flow with sessions that all look at the event; it is for one of them."""
    return _step(_catalog({"first": KEYED}), sessions)


SERIES = {
    "flows, of which one reads the event": _one_reads,
    "flows whose triggers all read the event": _each_looks,
    "sessions of the user": _sessions,
}


def growth(sizes: tuple[int, ...], rounds: int, times: int) -> Growth:
    """Measure each series, its sizes in turns."""
    found: Growth = {}
    for name, make in SERIES.items():
        most = MOST_SESSIONS if make is _sessions else max(sizes)
        some = [n for n in sizes if n <= most]
        works = {str(n): timed(make(n), times) for n in some}
        spent = in_turns(works, rounds)
        found[name] = [(n, ratio(spent, str(n), "1")) for n in some]
    return found


def figures(found: Growth) -> Iterator[Figure]:
    """Hold the cost of an event with the most flows and sessions to bounds."""
    for (name, points), most in zip(found.items(), (1.5, 9.0, 35.0), strict=True):
        size, cost = points[-1]
        yield Figure(name=f"event with {size} {name}", floor="with 1", value=cost, most=most)
