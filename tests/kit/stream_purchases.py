"""The streaming job on this machine: purchases through Pub/Sub, messages, states, numbers.

python -m tests.kit.stream_purchases --out build/stream

Starts its own Pub/Sub server and Redis, publishes the sample's purchases, drains the
subscription through the source's reader into the job on Beam's bundle-based runner, and shows
the results. Time is that of the data: 18 months pass in seconds.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import apache_beam as beam
import duckdb
import msgspec
from google.cloud import pubsub_v1

from pipelines.stream import build
from pipelines.stream_options import Sinks, topics_of
from tests.kit import bundle_runner, drain_topic, streams
from tests.kit.pubsub_server import PubSubServer
from tests.kit.redis_server import RedisServer
from tests.kit.timeouts import PATIENCE
from towpath.cli.projects import load_projects
from transforms.flows.catalog.control_log import records_of
from transforms.flows.protocol import control_records, outputs
from transforms.flows.protocol.signals import Event
from transforms.hosting.catalogs import FollowedLogs
from transforms.hosting.settings import Settings
from transforms.sinks.part_files import parts_of
from transforms.sinks.redis import State, open_states
from transforms.sources.files import read
from transforms.sources.pubsub.beam_source import Received
from transforms.sources.pubsub.leases import Settings as Subscription
from transforms.wire.decode import decode
from transforms.wire.mapped import numbered
from transforms.wire.mapping import load_mapping
from transforms.wire.messages import from_message

FLOWS = Path("flow_defs")
EVENTS = Path("towpath/sample_data/cdnow_purchases.csv.gz")
MAPPING = Path("towpath/sample_data/cdnow.map.yaml")
UNTIL = 899_251_200_000
"""1998-07-01, where `make run` ends, too."""
SLACK = 10_000
DAY = 86_400
PROJECT = "projects/demo"
SPACE = "cdnow"
SUBSCRIPTION = f"{PROJECT}/subscriptions/flows"
RECEIPT = "receipt"
MARK, CONTROL = ".stream_purchases", "control.jsonl"
"""The file that marks a folder of the demo, and its control log."""


class NotOurs(ValueError):
    """A folder that no demo wrote and that is not empty."""


class DemoResults(msgspec.Struct, frozen=True):
    """The results of the job, to be printed and tested."""

    events: int
    acknowledged: int
    left: int
    messages: list[outputs.Message]
    user: str
    state: State | None
    numbers: list[tuple[Any, ...]]
    tables: dict[str, int]


def print_progress(text: str) -> None:
    """Print a progress message."""
    print(text, file=sys.stderr, flush=True)


def purchases(users: int) -> list[Event]:
    """Read the purchases of the first users, in order of time; equal rows have numbered ids."""
    mapping = load_mapping(MAPPING.read_text(), str(MAPPING)).value
    found, known, seen = [], set[str](), Counter[str]()
    for raw in read(EVENTS, mapping):
        signal = decode(raw, mapping)  # type: ignore[arg-type]  # the sample has no bad rows
        assert isinstance(signal, Event)
        known.add(signal.user)
        if len(known) > users:
            break
        seen[signal.id] += 1
        ident = numbered(signal.id, seen[signal.id])
        found.append(msgspec.structs.replace(signal, id=ident))
    return sorted(found, key=lambda event: event.time)


def control_lines() -> tuple[bytes, ...]:
    """Publish and start the sample's flows; brokers need a slack, which files do not."""
    paths = [str(path) for path in sorted(FLOWS.glob("*.yaml")) if path.name != "space.yaml"]
    (selected,) = load_projects(paths)
    project = selected.project
    ids = [flow.id for flow in project.flows]
    records = records_of(
        {flow: project.flow_text(flow) for flow in ids},
        f"{project.space_text}\nslack: {SLACK // 1000}s\n",
        {flow: project.template_texts(flow) for flow in ids},
    )
    return tuple(control_records.encode_line(record) for record in records)


def control_log(out: Path) -> Path:
    """Write the control log of the sample's flows."""
    path = out / CONTROL
    path.write_bytes(b"".join(line + b"\n" for line in control_lines()))
    return path


@contextmanager
def broker() -> Iterator[PubSubServer]:
    """Run a Pub/Sub server with the topics of the job, and a subscription to each."""
    with PubSubServer() as server:
        os.environ["PUBSUB_EMULATOR_HOST"] = server.address
        publisher, subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
        for topic in sorted(set(topics_of("demo").values())):
            name = topic.rpartition("/")[2]
            publisher.create_topic(name=topic)
            path = SUBSCRIPTION if name == "events" else f"{PROJECT}/subscriptions/{name}"
            asked = {"name": path, "topic": topic, "enable_message_ordering": True}
            subscriber.create_subscription(request=asked | {"ack_deadline_seconds": 600})
        publisher.transport.close()
        subscriber.close()
        yield server


def publish(events: list[Event]) -> None:
    """Publish day by day, each user's events in order, with the ingestion time as an attribute."""
    client = pubsub_v1.PublisherClient()
    topic = topics_of("demo")["emitted"]

    def send(batch: list[Event]) -> None:
        messages = [_message(event) for event in batch]
        client.transport.publish({"topic": topic, "messages": messages}, timeout=PATIENCE)

    with ThreadPoolExecutor(16) as pool:
        for _, day in groupby(events, key=lambda event: event.time):
            users = groupby(sorted(day, key=lambda e: e.user), key=lambda e: e.user)
            list(pool.map(send, [list(batch) for _, batch in users]))
    client.transport.close()


def _message(event: Event) -> dict[str, Any]:
    body = {
        "type": "track",
        "messageId": event.id,
        "userId": event.user,
        "timestamp": event.time,
        "event": event.name,
        "properties": event.properties,
    }
    return {
        "data": msgspec.json.encode(body),
        "attributes": {"id": event.id, "space": SPACE, RECEIPT: str(event.time)},
        "ordering_key": event.user,
    }


def run(found: drain_topic.Drained, log: Path, sinks: Sinks, until: int) -> None:
    """Run the job over the drained records, until the watermark has reached an instant."""
    steps = drain_topic.script(found.deliveries, SLACK, until + SLACK)
    bundle_runner.quicken()
    with beam.Pipeline(bundle_runner.NAME, options=streams.options()) as pipeline:
        typed = beam.Map(streams.same).with_output_types(Received)
        messages = pipeline | "Script" >> streams.stream_of(steps) | "Typed" >> typed
        catalogs = FollowedLogs({SPACE: str(log)})
        build(messages, catalogs, sinks, space=SPACE, settings=Settings(until=until + SLACK))


def pulled(name: str) -> list[outputs.AnyOutput]:
    """Pull all messages of an output topic."""
    client, found = pubsub_v1.SubscriberClient(), []
    path = f"{PROJECT}/subscriptions/{name}"
    while True:
        request = pubsub_v1.types.PullRequest(
            subscription=path, max_messages=1000, return_immediately=True
        )
        got = client.transport.pull(request, timeout=PATIENCE).received_messages
        if not got:
            client.close()
            return found
        found += [from_message(g.message.data, dict(g.message.attributes)) for g in got]
        client.acknowledge(subscription=path, ack_ids=[g.ack_id for g in got])


NUMBERS = """
select flow, step, sum(value) filter (metric = 'arrivals')::bigint as arrivals,
       sum(value) filter (metric = 'messages')::bigint as messages,
       sum(value) filter (metric = 'conversions')::bigint as conversions
from read_parquet('{folder}/step_metric/**/*.parquet') where "window" = '{window}'
group by all order by all
"""


def numbers(folder: Path, window: str = "day") -> list[tuple[Any, ...]]:
    """Query the numbers of all days together, by SQL."""
    return duckdb.sql(NUMBERS.format(folder=folder, window=window)).fetchall()


def rows(folder: Path) -> dict[str, int]:
    """Count the rows of each table by its manifest."""
    return {
        path.name: sum(part.rows for part in parts_of(path.name, folder))
        for path in sorted(folder.iterdir())
    }


def refuse_foreign(out: Path, mark: str) -> None:
    """Raise NotOurs for what is there, unless it is an empty folder or one with the mark of a demo."""
    if out.exists() and not (out / mark).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise NotOurs(f"{out} holds something that no demo wrote: name a new or empty folder")


def clear(out: Path) -> None:
    """Delete the files of an earlier demo; raise NotOurs for any other folder that is not empty."""
    refuse_foreign(out, MARK)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).touch()
    (out / CONTROL).unlink(missing_ok=True)
    if (out / SPACE).exists():
        shutil.rmtree(out / SPACE)


def demo(out: Path, users: int, until: int = UNTIL) -> DemoResults:
    """Run everything."""
    clear(out)
    events = [event for event in purchases(users) if event.time < until]
    with broker() as server, RedisServer("valkey") as redis:
        publish(events)
        print_progress(
            f"published {len(events):,} purchases of {users:,} users to {server.address}"
        )
        asked = Subscription(subscription=SUBSCRIPTION, timestamp_attribute=RECEIPT)
        found = drain_topic.drain(asked, len(events))
        began = time.monotonic()
        # No pace: this runner loses timers of processing time.
        sinks = Sinks(
            topics=topics_of("demo"), redis=redis.url, tables=str(out), file_wait=None, pace=None
        )
        run(found, control_log(out), sinks, until)
        print_progress(f"the job took {time.monotonic() - began:.1f} s")
        acknowledged = len(found.finalize())
        found.reader.close()
        messages = [m for m in pulled("message") if isinstance(m, outputs.Message)]
        user = max(messages, key=lambda message: (message.at, message.user)).user
        state = open_states(redis.url).get_state(SPACE, user)
        folder = out / SPACE
        left = len(server.unacked(SUBSCRIPTION))
        return DemoResults(
            len(events), acknowledged, left, messages, user, state, numbers(folder), rows(folder)
        )


def main() -> int:
    """Run the demonstration and print its results."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.stream_purchases")
    parser.add_argument("--out", type=Path, default=Path("build/stream"))
    parser.add_argument("--users", type=int, default=100, help="0 takes all 23,570")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    try:
        shown = demo(asked.out, asked.users or 10**9)
    except NotOurs as error:
        print_progress(str(error))
        return 2
    print(f"events          {shown.events:>8,}, acknowledged {shown.acknowledged:,} afterwards")
    print(f"messages        {len(shown.messages):>8,} on the topic")
    for (flow, template), count in sorted(
        Counter((message.flow, message.template) for message in shown.messages).items()
    ):
        print(f"  {flow:<16}{template:<20}{count:>8,}")
    print(f"state of {shown.user} in Redis: {msgspec.json.encode(shown.state).decode()}")
    print("numbers of all days, by SQL: flow, step, arrivals, messages, conversions")
    for row in shown.numbers:
        print("  " + "  ".join(str(value if value is not None else 0) for value in row))
    print_progress(
        f"\nTables are in {asked.out / SPACE}; query them with DuckDB, see docs/how-to/stream-tables.md."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
