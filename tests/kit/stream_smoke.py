"""Real streaming on Beam's Prism: our source, the core, timers and a topic, in real time.

python -m tests.kit.stream_smoke

Builds Prism through the Go module proxy if it is missing, starts a Pub/Sub server, and runs
the job until every reminder is on its topic. A smoke test only: Prism is not durable.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import apache_beam as beam
import msgspec

from pipelines.stream import build
from pipelines.stream_options import Sinks, stream_options
from tests.kit.pubsub_server import PubSubServer
from tests.kit.pubsub_servers import World
from tests.kit.reminders import FILES, SPACE, track
from tests.kit.timeouts import PATIENCE
from transforms.flows.catalog.control_log import records_of
from transforms.flows.protocol import control_records
from transforms.flows.reading.project import load_project
from transforms.hosting.catalogs import FixedLogs
from transforms.sources.pubsub.beam_source import read_pubsub
from transforms.sources.pubsub.leases import Settings as Subscription

PRISM = "github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0"
USERS = 50


class JobSettings(msgspec.Struct, frozen=True):
    """The settings of the job's process."""

    subscription: str
    topic: str
    prism: str


def print_progress(text: str) -> None:
    """Print a progress message."""
    print(text, file=sys.stderr, flush=True)


def prism(folder: Path) -> Path | None:
    """Return Prism, or build it; None without Go."""
    path = folder.resolve() / "prism"
    if path.exists():
        return path
    go = shutil.which("go")
    if go is None:
        return None
    print_progress(f"building {PRISM}")
    subprocess.run([go, "install", PRISM], env=os.environ | {"GOBIN": str(path.parent)}, check=True)
    return path


def logs() -> FixedLogs:
    """Publish the reminder with a wait of five seconds."""
    files = {name: text.replace("after: 1h", "after: 5s") for name, text in FILES.items()}
    files["space.yaml"] = files["space.yaml"].replace("slack: 10s", "slack: 1s")
    project = load_project(files)
    records = records_of(
        {"remind": project.flow_text("remind")},
        project.space_text,
        {"remind": project.template_texts("remind")},
    )
    return FixedLogs({SPACE: tuple(control_records.encode_line(record) for record in records)})


def job(asked: JobSettings) -> None:
    """Run the job on Prism until the process is ended."""
    options = stream_options(
        ["--runner", "PrismRunner", "--prism_location", asked.prism,
         "--environment_type", "LOOPBACK"]
    )  # fmt: skip
    subscription = Subscription(subscription=asked.subscription, slack_ms=1000, idle_ms=1000)
    with beam.Pipeline(options=options) as pipeline:
        messages = pipeline | "Read events" >> read_pubsub(subscription, options)
        build(messages, logs(), Sinks(topics={"message": asked.topic}), space=SPACE)


def smoke(path: Path) -> int:
    """Publish, run, wait for the reminders; return 1 if the job ends before they arrive."""
    with PubSubServer() as server:
        os.environ["PUBSUB_EMULATOR_HOST"] = server.address
        world = World()
        topic = f"{world.project}/topics/message"
        world.publisher.create_topic(name=topic)
        reminders = topic.replace("/topics/", "/subscriptions/")
        world.subscriber.create_subscription(request={"name": reminders, "topic": topic})
        asked = JobSettings(world.subscription, topic, str(path))
        words = [sys.executable, "-m", "tests.kit.stream_smoke", "--job"]
        process = subprocess.Popen([*words, msgspec.json.encode(asked)], start_new_session=True)
        try:
            return _await(world, reminders, process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # its own group: the job, and Prism below it
            process.wait()
            world.close()


def _await(world: World, reminders: str, process: subprocess.Popen[bytes]) -> int:
    began = time.monotonic()
    for n in range(USERS):
        now = time.time_ns() // 1_000_000
        world.publish(track(f"cart-{n}", f"u{n}", "Cart", now).decode(), id=f"cart-{n}")
    found: set[str] = set()
    while len(found) < USERS and time.monotonic() - began < PATIENCE and process.poll() is None:
        for got in world.pull(1000, reminders):
            found.add(got.message.attributes["id"])
        time.sleep(0.2)
    took = time.monotonic() - began
    print(f"{len(found)} of {USERS} reminders came within {took:.1f} s on Prism")
    return 0 if len(found) == USERS else 1


def main() -> int:
    """Run the smoke test; return 2 without Go."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.stream_smoke")
    parser.add_argument("--bin", type=Path, default=Path("build/bin"))
    parser.add_argument("--job", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    if asked.job:
        job(msgspec.json.decode(asked.job, type=JobSettings))
        return 0
    path = prism(asked.bin)
    if path is None:
        print_progress(
            "Prism is not there, and there is no Go to build it with; see https://go.dev/dl"
        )
        return 2
    return smoke(path)


if __name__ == "__main__":
    sys.exit(main())
