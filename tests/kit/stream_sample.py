"""Sends the sample's purchases through Pub/Sub with every fault and the job; compares with the
core.

python -m tests.kit.stream_sample --users 0
python -m tests.kit.stream_sample --histories 1000

Users are run in groups, each with its own server and pipeline: decode, key, decide. A day of the
data takes two rounds of reading, so that duplicates arrive within the week for which the core
remembers ids (R5), as they do from a broker.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec

from pipelines.stream import RunStream
from tests.kit import drain_topic, streams
from tests.kit.faulty_job import GRAIN, start_rig
from tests.kit.pubsub_faults import Faults
from tests.kit.random_users import SLACK, Key, Published, RandomUsers, UserSet, fold_all, record_of
from tests.kit.stream_purchases import SPACE, UNTIL, control_lines, purchases
from transforms.flows.protocol.signals import Event
from transforms.hosting.catalogs import FixedLogs
from transforms.hosting.settings import Settings
from transforms.sources.pubsub.beam_source import Received

DAY = 86_400_000
ROUND_MS = 30_000
"""Half of the longest lease: what was lost is delivered two rounds, or one day, later."""
AT_ONCE = 500
FAULTS = Faults(
    seed=11, duplicate=0.2, lose_ack=0.1, expire_lease=0.1, nack_ordered=0.05,
    delay_ms=60_000, unavailable=0.02, lose_answer=0.02,
)  # fmt: skip


class Comparison(msgspec.Struct, frozen=True):
    """The results of some users, with the names of those whose outputs differ."""

    users: int
    records: int
    deliveries: int
    outputs: int
    early: int
    differ: tuple[str, ...]


class Sample:
    """Users of the sample, and the sample's flows."""

    def __init__(self, events: list[Event], end: int = UNTIL) -> None:
        self.end = end + SLACK
        self.logs = FixedLogs({SPACE: control_lines()})
        self.users: list[Key] = sorted({(SPACE, event.user) for event in events})
        self.records = [record_of(e.time, (SPACE, e.user), e) for e in events if e.time < end]

    def pieces(self) -> Iterator[list[Published]]:
        for _, day in groupby(self.records, key=lambda record: record.receipt // DAY):
            yield list(day)
            yield []


def compare(events: list[Event]) -> Comparison:
    """Send the purchases of some users through the job, and compare its outputs with the core."""
    shop = Sample(events)
    return compare_all(shop, shop.users, shop.records, DAY, ROUND_MS)


def compare_random(users: int) -> Comparison:
    """Do the same for random histories of random flows."""
    crowd = RandomUsers(users)
    return compare_all(crowd, [*crowd.histories], crowd.records, GRAIN, drain_topic.ROUND_MS)


def compare_all(
    people: UserSet, users: list[Key], records: list[Published], grain: int, round_ms: int
) -> Comparison:
    """Send records through the server with its faults and the job; compare each user's outputs."""
    with start_rig(people, FAULTS, "", Path()) as made:
        found = made.consume(round_ms)
    steps = drain_topic.script(found.deliveries, SLACK, people.end, grain)
    settings = Settings(until=people.end, clock=streams.At())
    job = RunStream(people.logs, SPACE, settings, sources=[streams.TRUSTED])
    mine = streams.run(steps, Received, lambda given: given | job).by_key()
    theirs = fold_all(people, users, [(record.key, record.signal) for record in records])
    return Comparison(
        users=len(users),
        records=len(records),
        deliveries=len(found.deliveries),
        outputs=sum(map(len, theirs.values())),
        early=len(found.early),
        differ=tuple(key[1] for key, wanted in theirs.items() if mine.get(key, []) != wanted),
    )


def chosen_users(users: int, seed: int = 1) -> list[list[Event]]:
    """Choose random users of the sample, all of them for 0, and return them in groups."""
    every = purchases(10**9)
    names = sorted({event.user for event in every})
    if users:
        names = sorted(random.Random(seed).sample(names, users))
    slot = {name: n // AT_ONCE for n, name in enumerate(names)}
    found: list[list[Event]] = [[] for _ in range(-(-len(names) // AT_ONCE))]
    for event in every:
        if event.user in slot:
            found[slot[event.user]].append(event)
    return found


def main() -> int:
    """Compare users with the core; print the differences and totals."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.stream_sample")
    parser.add_argument("--users", type=int, default=0, help="so many, drawn; 0 takes all 23,570")
    parser.add_argument("--histories", type=int, help="so many random histories instead")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    asked = parser.parse_args()
    began, total = time.monotonic(), [0] * 5
    differ: list[str] = []
    with ProcessPoolExecutor(asked.jobs, get_context("spawn"), _quietly) as pool:
        if asked.histories:
            parts = pool.map(compare_random, [asked.histories])
        else:
            parts = pool.map(compare, chosen_users(asked.users))
        for told in parts:
            *numbers, some = msgspec.structs.astuple(told)
            total = [a + b for a, b in zip(total, numbers, strict=True)]
            differ += some
            print(f"{total[0]:>8,} users, {len(differ)} differ", file=sys.stderr, flush=True)
    users, records, deliveries, outputs, early = total
    print(f"users           {users:>9,}")
    print(f"records         {records:>9,} in {deliveries:,} deliveries")
    print(f"outputs         {outputs:>9,} of the core")
    print(f"early           {early:>9,} acknowledged before their round was over")
    print(f"differ          {len(differ):>9,} users {' '.join(differ[:10])}")
    print(f"took            {time.monotonic() - began:>9,.0f} s in {asked.jobs} processes")
    return 1 if differ or early else 0


def _quietly(*_: Any) -> None:
    logging.disable(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
