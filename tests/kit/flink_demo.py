"""The purchases of the sample through Kafka and the job on a Flink cluster, and their funnel.

python -m tests.kit.flink_demo --out build/flink-demo

Starts a Kafka broker, and a cluster and the job by their commands; the funnel of the outputs' topics must be
that of a replay of the same purchases. Time is that of the data: 18 months pass in minutes.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec
from confluent_kafka import Producer

from pipelines.flink_options import HANDOVERS, parse
from pipelines.replay.results import Account
from tests.kit import flink_cluster, flink_run
from tests.kit.flink_cluster import FlinkCluster, StartedCluster
from tests.kit.kafka_broker import KafkaBroker
from tests.kit.stream_purchases import (
    EVENTS,
    FLOWS,
    MAPPING,
    SLACK,
    SPACE,
    UNTIL,
    NotOurs,
    control_log,
    print_progress,
    purchases,
    refuse_foreign,
)
from tests.kit.stream_sample import DAY
from tests.kit.timeouts import PATIENCE
from towpath.cli import common
from towpath.cli.results import finished_account
from towpath.reports.funnel import KINDS, Report, report_of
from towpath.reports.funnel_picture import funnel
from towpath.reports.funnel_text import to_text
from transforms.flows.protocol.signals import Event
from transforms.wire.messages import to_envelope

MARK, CLUSTER, REPLAY, PURCHASES = ".flink_demo", "cluster", "replay", "purchases.csv"
PARTITIONS = 2
AT_ONCE = 20_000
OFTEN = ("--set", "execution.checkpointing.interval=5s")


class Shown(msgspec.Struct, frozen=True):
    """The funnel of the job's outputs, and that of a replay."""

    events: int
    job: Report
    replay: Report

    @property
    def same(self) -> bool:
        """True if the flows have the same numbers, and every week, too."""
        return (self.job.flows, self.job.weeks) == (self.replay.flows, self.replay.weeks)


def command(*words: str | Path) -> str:
    """Show and run a command of ``towpath``; return what it printed."""
    typed = [str(word) for word in words]
    print_progress(f"\n$ towpath {shlex.join(typed)}")
    done = subprocess.run(
        [sys.executable, "-m", "towpath.cli.main", *typed], check=True, stdout=subprocess.PIPE
    )
    return done.stdout.decode()


def submit(cluster: FlinkCluster, broker: KafkaBroker, log: Path) -> str:
    """Create the topics and submit the job; return its id."""
    words = [
        "--brokers", broker.address, "--events", flink_run.EVENTS,
        "--events", f"{HANDOVERS}=handover", "--control", f"{SPACE}={log.absolute()}", "--space", SPACE,
    ]  # fmt: skip
    outputs = set(parse(words).topics.values()) - {flink_run.EVENTS}
    broker.create({flink_run.EVENTS: PARTITIONS} | dict.fromkeys(outputs, 1))
    told = command("flink", "submit", "--folder", cluster.folder, "--json", "--", *words)
    return str(msgspec.json.decode(told)["id"])


def publish(broker: KafkaBroker, events: Sequence[Event]) -> None:
    """Publish the purchases with their own times, and before those of each day that it has begun."""
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 5, "log_level": 0})
    reached = 0
    for number, event in enumerate(events, 1):
        if event.time // DAY > reached:
            reached = event.time // DAY
            beat(producer, reached * DAY)
        producer.produce(
            flink_run.EVENTS, to_envelope(event), event.user, timestamp=event.time,
            headers={"space": SPACE, "id": event.id},
        )  # fmt: skip
        producer.poll(0)
        if number % AT_ONCE == 0 or number == len(events):
            assert producer.flush(PATIENCE) == 0
            print_progress(f"published {number:,} purchases of {len(events):,}")
    beat(producer, UNTIL + SLACK)
    assert producer.flush(PATIENCE) == 0


def beat(producer: Producer, at: int) -> None:
    """Say on each partition that the job reads that an instant is reached."""
    flink_run.beat(producer, PARTITIONS, at)
    flink_run.beat(producer, 1, at, HANDOVERS)


def write_tables(broker: KafkaBroker, out: Path) -> None:
    """Write what the funnel needs of the outputs' topics as tables."""
    topics = [word for kind in KINDS for word in ("--topic", kind)]
    command(
        "relay", "kafka", "tables", "--brokers", broker.address, *topics, "--to-end", "--out", out
    )


def replay(events: Path, out: Path) -> Account:
    """Replay purchases as ``make run`` does."""
    flows = sorted(path for path in FLOWS.glob("*.yaml") if path.name != "space.yaml")
    command(
        "replay",
        *flows,
        "--events",
        events,
        "--map",
        MAPPING,
        "--until",
        "1998-07-01",
        "--out",
        out,
    )
    return finished_account(out, KINDS)


def write_purchases(path: Path, users: Iterable[str]) -> None:
    """Write the rows of some users of the sample."""
    known = set(users)
    with gzip.open(EVENTS, "rt") as sample, path.open("w") as file:
        rows = csv.reader(sample)
        csv.writer(file).writerows([next(rows), *(row for row in rows if row[0] in known)])


def show(cluster: FlinkCluster, broker: KafkaBroker, events: Sequence[Event], out: Path) -> Shown:
    """Send purchases through the job on a cluster; compare the funnel with that of a replay."""
    job = submit(cluster, broker, control_log(out))
    began = time.monotonic()
    publish(broker, events)
    flink_run.wait(cluster, broker, job, PARTITIONS)
    print_progress(f"the job took {time.monotonic() - began:.0f} s")
    print_progress(command("flink", "status", "--folder", cluster.folder))
    write_tables(broker, out)
    write_purchases(out / PURCHASES, {event.user for event in events})
    account = replay(out / PURCHASES, out / REPLAY)
    return Shown(len(events), report_of(account, out / SPACE), report_of(account, out / REPLAY))


def clear(out: Path) -> None:
    """Delete the files of an earlier demo; raise NotOurs for any other folder that is not empty."""
    refuse_foreign(out, MARK)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / MARK).touch()


def demo(out: Path, users: int, port: int) -> Shown:
    """Run everything with a broker and a cluster of its own."""
    events = [event for event in purchases(users) if event.time < UNTIL]
    with ExitStack() as stack:
        broker = stack.enter_context(KafkaBroker(flink_cluster.java()))
        print_progress(f"a Kafka broker runs: {broker.address}")
        folder = out / CLUSTER
        stack.callback(StartedCluster(folder).local.end_all)
        words = [
            "--task-managers",
            "1",
            "--port",
            str(port),
            "--env",
            str(flink_cluster.ENVIRONMENT.folder),
        ]
        print_progress(command("flink", "start", "--folder", folder, *words, *OFTEN))
        return show(StartedCluster(folder), broker, events, out)


def main() -> int:
    """Run the demonstration; print the funnel, and whether a replay has the same."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.flink_demo")
    parser.add_argument("--out", type=Path, default=Path("build/flink-demo"))
    parser.add_argument("--users", type=int, default=0, help="0 takes all 23,570")
    parser.add_argument("--port", type=int, default=8081, help="of Flink's web pages")
    asked = parser.parse_args()
    try:
        clear(asked.out)
    except NotOurs as error:
        print_progress(str(error))
        return 2
    shown = demo(asked.out, asked.users or 10**9, asked.port)
    picture = asked.out / "funnel.svg"
    picture.write_text(funnel(shown.job), encoding="utf-8")
    print(to_text(shown.job, partial(common.paint, stream=sys.stdout)))
    print_progress(f"the same as a picture: {picture}")
    print_progress(f"the funnel is {'' if shown.same else 'NOT '}that of the replay")
    return 0 if shown.same else 1


if __name__ == "__main__":
    sys.exit(main())
