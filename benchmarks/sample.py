"""The sample of purchases through the core, and through what the core is compared with.

``python -m benchmarks.sample CONTESTANT`` prints the processor time of one of them, in a process of
its own, without that of reading and decoding the events, which is the same for all.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from time import process_time
from typing import Any

import msgspec

from benchmarks.core import records
from benchmarks.floors import win_back
from benchmarks.ratios import Figure, in_turns, ratio
from transforms.flows.catalog.control_log import catalog_of
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.engine import step as step_module
from transforms.flows.engine.step import Done, fold_outputs, step
from transforms.flows.protocol.outputs import Conversion, Message, Rejection, Transition
from transforms.flows.protocol.signals import Event, Signal, Time
from transforms.sources.files import read
from transforms.wire.decode import decode
from transforms.wire.mapping import load_mapping

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "towpath" / "sample_data" / "cdnow_purchases.csv.gz"
MAP = ROOT / "towpath" / "sample_data" / "cdnow.map.yaml"
UNTIL = 899_251_200_000
"""1998-07-01, the end of the sample."""
BEAM_USERS = 1_000
COMPILED = not str(step_module.__file__).endswith(".py")
RATIOS: tuple[tuple[str, str, float | None, float | None], ...] = (
    ("core", "dictionary machine", None, 5.5),
    ("core", "dictionary machine, 500 users at a time", None, 11.0),
    ("core", "dictionary machine in bytewax", None, 2.4),
    ("core, event by event, states as bytes", "core", None, 2.2),
    ("core, not compiled", "core", 1.8, None),
    ("empty stateful job of bytewax", "core", None, None),
    ("empty stateful job of Beam, in process", "core", None, None),
)
"""What is compared: cost, floor, and the least and the most that their ratio may be."""

Users = dict[str, list[Event]]


def load(most: int | None = None) -> Users:
    """Read the events of all users or of the first ones, each user's by time and id."""
    mapping = load_mapping(MAP.read_text(), MAP.name).value
    users: Users = defaultdict(list)
    equal: Counter[str] = Counter()
    for raw in read(SAMPLE, mapping):
        event = decode(raw, mapping)  # type: ignore[arg-type]
        assert isinstance(event, Event)
        equal[event.id] += 1
        if equal[event.id] > 1:  # equal rows are different purchases
            event = msgspec.structs.replace(event, id=f"{event.id}-{equal[event.id]}")
        if event.time < UNTIL:
            users[event.user].append(event)
    chosen = sorted(users)[:most]
    return {user: sorted(users[user], key=_order) for user in chosen}


def _order(event: Event) -> tuple[int, str]:
    return event.time, event.id


def catalog(*flows: str) -> Catalog:
    """Publish and start some of the sample's flows."""
    return catalog_of(records([ROOT / "flow_defs" / f"{name}.yaml" for name in flows], flows))


def core(users: Users) -> Callable[[], Iterator[Any]]:
    """Decide with the core, user by user, as a replay does."""
    known = catalog("win_back")

    def run() -> Iterator[Any]:
        for user, events in users.items():
            found = fold_outputs(known, (*events, Time(user=user, at=UNTIL)))
            assert isinstance(found, tuple)
            yield from found

    return run


def steps(users: Users) -> Callable[[], Iterator[Any]]:
    """Decide with the core, event by event, with the state as bytes between, as a stream does."""
    known = catalog("win_back")
    signals: list[Signal] = [*_by_time(users), *(Time(user=user, at=UNTIL) for user in users)]

    def run() -> Iterator[Any]:
        states: dict[str, bytes | None] = {}
        for signal in signals:
            done = step(known, states.get(signal.user), signal)
            assert isinstance(done, Done)
            states[signal.user] = done.state
            yield from done.outputs

    return run


def dictionary(users: Users, group: int | None = None) -> Callable[[], Iterator[Any]]:
    """Decide by hand, all users at once as a stream does, or some at a time as a replay does."""
    names = list(users)
    size = group or len(names)
    groups = [names[n : n + size] for n in range(0, len(names), size)]
    ordered = [_by_time({name: users[name] for name in names}) for names in groups]
    return lambda: chain.from_iterable(win_back.decide(events, UNTIL) for events in ordered)


def in_bytewax(users: Users, *, empty: bool = False) -> Callable[[], Iterator[Any]]:
    """Decide by hand in bytewax, or run a job of bytewax that decides nothing."""
    from benchmarks.floors import in_bytewax as floor

    ordered = _by_time(users)
    return lambda: iter(floor.run(ordered, UNTIL, floor.Empty if empty else floor.Deciding))


def empty_beam(users: Users) -> Callable[[], Iterator[Any]]:
    """Run a job of Beam that decides nothing, over few events: each takes long."""
    from benchmarks.floors import in_beam

    ordered = _by_time(users)
    return lambda: in_beam.run(ordered)


def _by_time(users: Users) -> list[Event]:
    return sorted(chain(*users.values()), key=_order)


CONTESTANTS: dict[str, Callable[[Users], Callable[[], Iterator[Any]]]] = {
    "core": core,
    "core, event by event, states as bytes": steps,
    "dictionary machine": dictionary,
    "dictionary machine, 500 users at a time": partial(dictionary, group=500),
    "dictionary machine in bytewax": in_bytewax,
    "empty stateful job of bytewax": lambda users: in_bytewax(users, empty=True),
    "empty stateful job of Beam, in process": empty_beam,
}


HAND_WRITTEN = [name for name in CONTESTANTS if name.startswith("dictionary")]
KINDS: dict[type[Any], str] = {Message: "message", Rejection: "refused", Conversion: "converted"}


def main_rows(outputs: Iterable[Any]) -> Counter[tuple[Any, ...]]:
    """Count the rows that the core and those by hand have in common, in one form."""
    return Counter(row for row in map(_main_row, outputs) if row)


def _main_row(row: Any) -> tuple[Any, ...] | None:
    if isinstance(row, tuple):
        kind, user, at, _, *more = row
        return kind, user, at, *map(str, more)
    match row:
        case Message():
            more = [row.step, row.template, row.data]
        case Transition(what="entered"):
            more = [row.silent]
        case Transition(what="ended") | Rejection():
            more = [row.reason]
        case Conversion():
            more = [row.value]
        case _:
            return None
    kind = row.what if isinstance(row, Transition) else KINDS[type(row)]
    return kind, row.user, row.at, *map(str, more)


def figures(users: int | None, rounds: int) -> Iterator[Figure]:
    """Compare the core with the others, each in a process of its own."""
    check(users)
    names = [name for name in CONTESTANTS if find_spec("bytewax") or "bytewax" not in name]
    contestants = {name: partial(_measured, name, users) for name in names}
    if COMPILED:
        contestants["core, not compiled"] = partial(_measured, "core", users, str(ROOT))
    spent = in_turns(contestants, rounds)
    for name, floor, least, most in RATIOS:
        if name in spent and floor in spent:
            value = ratio(spent, name, floor)
            yield Figure(
                name=name,
                floor=floor,
                value=value,
                least=least,
                most=most,
                headline=least is not None or most is not None,
            )
    if names != list(CONTESTANTS):
        print("bytewax is not installed; its figures are left out")


def check(users: int | None) -> None:
    """Raise unless the core and those by hand decide the same."""
    chosen = load(users)
    rows = main_rows(core(chosen)())
    others = [name for name in HAND_WRITTEN if find_spec("bytewax") or "bytewax" not in name]
    for name in others:
        assert main_rows(CONTESTANTS[name](chosen)()) == rows, f"{name} decides something else"


def _measured(name: str, users: int | None, path: str | None = None) -> float:
    some = ["--users", str(users)] if users else []
    safe = ["-P"] if sys.flags.safe_path else []  # else this folder comes before what is compiled
    run = subprocess.run(
        [sys.executable, *safe, "-m", "benchmarks.sample", name, *some],
        check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env=os.environ | ({"PYTHONPATH": path} if path else {}),
    )  # fmt: skip
    return float(run.stdout)


def main() -> None:
    """Run a contestant and print its microseconds of processor time an event."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sample", description=__doc__)
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("--users", type=int, help="only so many users")
    args = parser.parse_args()
    users = load(args.users)
    if CONTESTANTS[args.contestant] is empty_beam:
        users = dict(list(users.items())[:BEAM_USERS])  # each event takes long
    run = CONTESTANTS[args.contestant](users)
    gc.collect()
    gc.freeze()  # the events are there for all
    begun = process_time()
    sum(1 for _ in run())
    print((process_time() - begun) / sum(map(len, users.values())) * 1e6)


if __name__ == "__main__":
    main()
