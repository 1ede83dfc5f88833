"""What a worker pays when one record is appended to the control log of many flows.

``python -m benchmarks.appends`` prints it in milliseconds, by kind of record. The log that a worker
holds has every flow published and started, and is complete until before the new record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.core import HOUR, START
from benchmarks.growth import flows_with_own_events, log_of
from benchmarks.ratios import Figure, in_turns, ratio, timed
from transforms.flows.catalog.applied_log import no_records
from transforms.flows.catalog.control_log import catalog_of
from transforms.flows.protocol import control_records
from transforms.flows.protocol.control_records import ControlRecord
from transforms.hosting.catalogs import known

MOST = 300
WHOLE = "building the catalog of {flows} flows"
LEAST = {"a version of a flow": 50.0, "a pause": 500.0, "a schedule": 400.0, "settings": 10.0}
"""By what factor an append is cheaper than building the catalog."""


def _records(log: list[ControlRecord]) -> dict[str, ControlRecord]:
    """Make a record of each kind, effective after those of the log."""
    publish = next(r for r in log if isinstance(r, control_records.Publish) and r.flow == "f1")
    space = next(r for r in log if isinstance(r, control_records.SetSpace))
    text = publish.text.replace("30d", "20d")
    now: dict[str, Any] = {"sequence": len(log), "effective_at": START + HOUR}
    flow: dict[str, Any] = {"flow": "f1", **now}
    kinds: dict[str, ControlRecord] = {
        "a version of a flow": control_records.Publish(
            version=2, text=text, templates=publish.templates, **flow
        ),
        "a version that migrates": control_records.Publish(
            version=2, text=text, templates=publish.templates, migrate=True, **flow
        ),
        "a start": control_records.Start(**flow),
        "a pause": control_records.Pause(**flow),
        "a resume": control_records.Resume(**flow),
        "a stop": control_records.Stop(**flow),
        "a priority": control_records.SetPriority(priority=5, **flow),
        "a schedule": control_records.SetSchedule(end="2030-01-01T00:00", **flow),
        "goals": control_records.SetGoals(text="won: {event: Order1, within: 5d}", **flow),
        "a kill switch": control_records.Kill(**now),
        "settings": control_records.SetSpace(text=space.text.replace("10s", "11s"), **now),
    }
    return kinds


def _contestants(flows: int, times: int) -> dict[str, Callable[[], float]]:
    log = log_of(*flows_with_own_events(flows))
    held = no_records().extended(log, START)

    def append(record: ControlRecord) -> Callable[[], object]:
        return lambda: known(held.extended([record], START + 1).catalog)

    works = {name: timed(append(record), times) for name, record in _records(log).items()}
    works[WHOLE.format(flows=flows)] = timed(lambda: known(catalog_of(log)), 1)
    return works


def figures(flows: int, rounds: int, times: int) -> Iterator[Figure]:
    """Compare building the catalog with appending one record, by kind of record."""
    whole = WHOLE.format(flows=flows)
    contestants = _contestants(flows, times)
    spent = in_turns({name: contestants[name] for name in (*LEAST, whole)}, rounds)
    for name, least in LEAST.items():
        cost = ratio(spent, whole, name)
        yield Figure(name=whole, floor=f"appending {name}", value=cost, least=least)


def main() -> None:
    """Print the processor time of each kind of append."""
    spent = in_turns(_contestants(MOST, 20), 3)
    for name, times in spent.items():
        print(f"{name:<40} {min(times) / 1000:8.2f} ms")


if __name__ == "__main__":
    main()
