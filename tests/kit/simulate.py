"""The seeded simulator of the core: one seed, one history, and every fault of a host.

python -m tests.kit.simulate --histories 10000 --seed 1 --jobs 0

A history is run clean, then again with duplicates, timers, crashes, pieces and a control log
that is read bit by bit: the outputs must be the same bytes. The invariants of any history are
checked on its outputs alone. Some histories are of one user with several keys (R8).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b

import msgspec

from tests.kit.histories import Handled, History, history
from tests.kit.invariants import violations
from tests.kit.keyed_users import KEYS, keyed_user, rerun_differences, violations_of
from tests.kit.replayed import replay_differences
from tests.kit.worlds import DAY, world
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.engine.step import Behind, Done, fold
from transforms.flows.engine.working import decode
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import (
    AudienceChange,
    Command,
    Enter,
    Event,
    ProfileChange,
    Signal,
    Time,
)
from transforms.hosting.sandbox import answer

PER_WORLD = 8
"""Histories that share their flows: loading those takes longer than running a history."""

ALONE = 6
"""The share of a world's histories with one key; the others are of users with several keys."""
SHARE = 0.02
"""The share of a history's signals that erase, export or import."""

Run = tuple[list[bytes], bytes | None]


def make(seed: int) -> History:
    """Create the history of a seed."""
    return history(world(seed // PER_WORLD), seed, share=SHARE)


class Simulated(msgspec.Struct, frozen=True):
    """The results of a seed, and the problems found."""

    outputs: tuple[out.AnyOutput, ...]
    problems: list[str]


def problems(seed: int) -> list[str]:
    """Simulate one seed; return the problems."""
    return simulated(seed).problems


def simulated(seed: int) -> Simulated:
    """Simulate one seed: a user with several keys, or one key."""
    return simulate_keyed_user(seed) if seed % PER_WORLD >= ALONE else simulate_key(seed)


def simulate_keyed_user(seed: int) -> Simulated:
    """Simulate one user with two to five keys."""
    rng = random.Random(f"person {seed}")
    names = (
        KEYS if rng.random() < 0.2 else rng.choice((("kim", "anon:1"), ("kim", "lee", "anon:1")))
    )
    found = keyed_user(world(seed // PER_WORLD), seed, rng.choice((0.02, 0.05, 0.15)), names)
    return Simulated(
        tuple(found.keys.outputs), [*violations_of(found), *rerun_differences(found, rng)]
    )


def simulate_key(seed: int) -> Simulated:
    """Simulate one key, by a clean run and by runs with faults of hosts."""
    clean = make(seed)
    found = list(violations(clean))
    rng = random.Random(f"faults {seed}")
    wanted: Run = [out.encode(output) for output in clean.outputs], clean.state
    for name, run in (("faulty", faulty(clean, rng)), ("in pieces", pieces(clean, rng))):
        if run != wanted:
            found.append(f"the run {name} differs: {_first_difference(wanted, run)}")
    found += replay_differences(clean)
    return Simulated(clean.outputs, found)


def _first_difference(wanted: Run, run: Run) -> str:
    for n, (a, b) in enumerate(zip(wanted[0], run[0], strict=False)):
        if a != b:
            return f"output {n} is {out.decode(b)}, not {out.decode(a)}"
    if len(wanted[0]) != len(run[0]):
        return f"{len(run[0])} outputs, not {len(wanted[0])}"
    return "only the state"


class Host:
    """Drives the core like a host, including faults."""

    def __init__(self, clean: History, rng: random.Random, crashes: float) -> None:
        self.clean, self.rng, self.crashes = clean, rng, crashes
        self.state: bytes | None = None
        self.known = 0
        self.wake_at: int | None = None
        self.outputs: list[bytes] = []

    def give(self, *signals: Signal) -> None:
        """Handle signals; read the control log further if it is behind; crash and retry."""
        done = self._step(signals)
        while isinstance(done, Behind):
            self.known = done.until + self.rng.choice((0, 0, 1000, DAY))
            done = self._step(signals)
        if self.rng.random() < self.crashes:
            again = self._step(signals)
            assert again == done, "the same again is not the same"
        self.state, self.wake_at = done.state, done.wake_at
        self.outputs += [out.encode(output) for output in done.outputs]

    def _step(self, signals: tuple[Signal, ...]) -> Done | Behind:
        return fold(self.clean.world.catalog(self.known), self.state, signals, answer)

    def remembers_since(self, now: int) -> int:
        """Return since when the ids of signals are certainly remembered (R5)."""
        dropped = decode(self.state).seen_floor if self.state is not None else 0
        return max(now - 6 * DAY, dropped)

    @property
    def run(self) -> Run:
        return self.outputs, self.state


def faulty(clean: History, rng: random.Random) -> Run:
    """Run with duplicates, unused events, timers at wrong times, crashes and a growing log."""
    host = Host(clean, rng, crashes=0.1)
    done: list[Handled] = []
    noise, unread = 0, clean.world.catalog().read_since("?") == NEVER
    for given in clean.handled:
        for signal in _timers(host, rng, given.at):
            host.give(signal)
        host.give(given.signal)
        if given.broke:
            done.clear()  # what was before is not remembered, and would be refused or handled again
        if given.taken:
            done.append(given)
        if rng.random() < 0.15 and unread:
            noise += 1
            host.give(
                Event(id=f"n{noise}", user=clean.user, time=rng.randrange(given.at + 1), name="?")
            )
        since = host.remembers_since(given.at)
        for twice in (*_duplicates(rng, done, since), *_echoes(rng, given, since)):
            host.give(twice)
    for signal in _timers(host, rng, clean.until):
        host.give(signal)
    host.give(Time(user=clean.user, at=clean.until))
    return host.run


def _timers(host: Host, rng: random.Random, limit: int) -> Iterator[Signal]:
    """Give timers: on time, late, early, repeated; none is later than the next signal or timer."""
    while host.wake_at is not None and host.wake_at <= limit and rng.random() < 0.6:
        yield _timer(host, rng, host.wake_at)
    if rng.random() < 0.3:
        yield _timer(host, rng, rng.randrange(limit + 1))
    if rng.random() < 0.1:
        yield _timer(host, rng, limit)
    if host.wake_at is not None and rng.random() < 0.2:
        yield _timer(host, rng, min(limit, host.wake_at - 1))


def _timer(host: Host, rng: random.Random, at: int) -> Signal:
    user = host.clean.user
    if rng.random() < 0.2:
        return Command(what="wake", id=f"w{rng.random()}", user=user, time=at)
    return Time(user=user, at=at)


def _duplicates(rng: random.Random, done: list[Handled], since: int) -> Iterator[Signal]:
    """Give signals again, the last one or any, but none so old that it is refused (R5)."""
    last = [done[-1]] if done and rng.random() < 0.2 else []
    some = [rng.choice(done)] if done and rng.random() < 0.2 else []
    for given in (*last, *some):
        if not isinstance(given.signal, Time) and given.signal.time > since:
            yield given.signal


def _echoes(rng: random.Random, given: Handled, since: int) -> Iterator[Signal]:
    """Send back what the product itself published for other systems."""
    for output in given.outputs:
        if given.broke or rng.random() < 0.7 or output.at <= since:
            continue
        base = {"id": output.id, "user": output.user, "time": output.at, "received": given.at}
        match output:
            case out.ProfileUpdate(set=traits, unset=unset, consent=consent):
                yield ProfileChange(set=traits, unset=unset, consent=consent, **base)
            case out.ParticipantUpdate(campaign=campaign, fields=fields, step=str()):
                yield Enter(flow=campaign, operation="upload", participant=fields, **base)
            case out.AudienceUpdate(audience=audience, entered=entered):
                yield AudienceChange(audience=audience, entered=entered, **base)
            case out.Emitted(name=name, properties=properties):
                yield Event(name=name, properties=properties, **base)
            case _:
                pass


def pieces(clean: History, rng: random.Random) -> Run:
    """Run in pieces of several signals each, like a replay."""
    host = Host(clean, rng, crashes=0.0)
    left: list[Signal] = [given.signal for given in clean.handled]
    left.append(Time(user=clean.user, at=clean.until))
    while left:
        size = rng.choice((1, 2, 3, 10, len(left)))
        host.give(*left[:size])
        left = left[size:]
    return host.run


def repeat_command(seed: int) -> str:
    """Return the command line that runs a seed again."""
    return f"python -m tests.kit.simulate --seed {seed} --histories 1"


CHUNK = 200


class Tally(msgspec.Struct):
    """The results of some seeds: a line per problem, outputs by kind, a hash of each history."""

    failed: int = 0
    said: list[str] = []
    kinds: Counter[str] = Counter()
    hashes: list[bytes] = []
    slowest: tuple[float, int] = (0.0, 0)


def tally(seeds: range) -> Tally:
    """Simulate some seeds."""
    found = Tally(kinds=Counter())
    contents: dict[str, bytes] = {}
    for seed in seeds:
        began = time.process_time()
        try:
            one = simulated(seed)
        except Exception as defect:  # any error is a finding, and the other seeds continue
            one = Simulated((), [f"{type(defect).__name__}: {defect}"])
        if seed % PER_WORLD < ALONE:  # users with several keys have the same names in each seed
            one.problems.extend(id_clashes(contents, one.outputs))
        found.failed += bool(one.problems)
        found.said += [f"{repeat_command(seed)}: {problem}" for problem in one.problems]
        digest = blake2b(digest_size=8)
        for output in one.outputs:
            found.kinds[str(output.__struct_config__.tag)] += 1
            digest.update(out.encode(output))
        found.hashes.append(digest.digest())
        found.slowest = max(found.slowest, (time.process_time() - began, seed))
    return found


def id_clashes(contents: dict[str, bytes], outputs: Iterable[out.AnyOutput]) -> Iterator[str]:
    """Yield the ids that an earlier output has with other content, of any user (R30)."""
    for output in outputs:
        content = blake2b(out.encode(output), digest_size=8).digest()
        if contents.setdefault(output.id, content) != content:
            yield f"id {output.id} is of two outputs, over all users"


def tallies(seeds: range, jobs: int, chunk: int = CHUNK) -> Iterator[Tally]:
    """Simulate seeds in several processes; the findings are in the order of the seeds."""
    chunks = [seeds[at : at + chunk] for at in range(0, len(seeds), chunk)]
    if jobs == 1:
        yield from map(tally, chunks)
        return
    # New processes: a forked one would share the sandbox of this one.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(tally, chunks)


def main() -> int:
    """Simulate; print failing seeds, what the histories contain, and a hash of all outputs."""
    parser = argparse.ArgumentParser(description="simulate random histories of random flows")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1, help="processes; 0: one a core")
    parser.add_argument("--show", action="store_true", help="print flows, signals and outputs")
    args = parser.parse_args()
    seeds = range(args.seed, args.seed + args.histories)
    for seed in seeds if args.show else ():
        _show(make(seed))
    failed, done, kinds, digest = 0, 0, Counter[str](), blake2b(digest_size=8)
    began, slowest = time.monotonic(), (0.0, 0)
    for found in tallies(seeds, args.jobs or os.cpu_count() or 1):
        failed, done = failed + found.failed, done + len(found.hashes)
        kinds.update(found.kinds)
        slowest = max(slowest, found.slowest)
        for one in found.hashes:
            digest.update(one)
        for line in found.said:
            print(line, flush=True)
        rate = done / max(time.monotonic() - began, 0.001)
        print(f"{done} of {len(seeds)} histories, {rate:.0f} a second", file=sys.stderr)
    held = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    print(f"slowest: seed {slowest[1]}, {slowest[0]:.1f} s", file=sys.stderr)
    print(f"{args.histories} histories, {failed} failed; {held}; {digest.hexdigest()}")
    return 1 if failed else 0


def _show(clean: History) -> None:
    for name, text in clean.world.files.items():
        print(f"--- {name}\n{text}")
    for record in clean.world.records:
        print("log", record.effective_at, type(record).__name__, getattr(record, "flow", ""))
    for given in clean.handled:
        print(given.at, given.signal)
        for output in given.outputs:
            print("   ", output)


if __name__ == "__main__":
    sys.exit(main())
