"""The streaming job as an operator sees it, in real time, on Beam's local runner Prism.

python -m tests.kit.stream_demo --prism build/bin/prism

Starts a Pub/Sub server and Redis, and the job and its controller by their command lines. Visitors of
a shop fill carts; while they wait, one command pauses the flow and another one resumes it. Prism
keeps states in memory only and may lose some: this is no test.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb
from google.cloud import pubsub_v1

from pipelines.stream_options import HANDOVERS, UNSAFE, topics_of
from tests.kit.demo_shop import FLOW, PROJECT, SPACE, Shown, Visitors, write_shop
from tests.kit.pubsub_server import PubSubServer
from tests.kit.redis_server import RedisServer
from transforms.sinks.part_files import listed, parts_of

MARK, LOG = ".stream_demo", "control.jsonl"
EVERY = 5.0
PHASE = 45.0
"""Seconds before the pause, until the resume, and until the end."""
COMMANDS = "commands"
"""The topic on which the controller wakes users."""
METRICS = """
select step, sum(value) filter (metric = 'arrivals')::bigint as arrivals,
       sum(value) filter (metric = 'messages')::bigint as messages,
       sum(value) filter (metric = 'conversions')::bigint as conversions
from read_parquet({files}) where "window" = 'minute'
group by all order by arrivals desc
"""


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


@contextmanager
def broker() -> Iterator[None]:
    """Run a Pub/Sub server with the topics of the job, and a subscription to each."""
    with PubSubServer() as server:
        os.environ["PUBSUB_EMULATOR_HOST"] = server.address
        publisher, subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
        own = {f"{PROJECT}/topics/{name}" for name in (HANDOVERS, COMMANDS)}
        topics = {*topics_of("demo").values(), *own}
        for topic in sorted(topics):
            publisher.create_topic(name=topic)
            path = topic.replace("/topics/", "/subscriptions/")
            subscriber.create_subscription(request={"name": path, "topic": topic})
        publisher.transport.close()
        subscriber.close()
        yield


@contextmanager
def program(words: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a process group of its own; its output goes to a file."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], stdout=file, stderr=file, start_new_session=True
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # Prism is a child of the job
        process.wait()


def job(prism: Path, out: Path, redis_url: str) -> list[str]:
    """Return the command line of the job."""
    subscriptions = f"{PROJECT}/subscriptions"
    return [
        "pipelines.stream", "--runner=PrismRunner", UNSAFE, f"--prism_location={prism.absolute()}",
        "--environment_type=LOOPBACK", f"--subscription={subscriptions}/events",
        f"--subscription={subscriptions}/{HANDOVERS}=handover",
        f"--subscription={subscriptions}/{COMMANDS}=command", "--idle=1", f"--space={SPACE}",
        f"--control={out / LOG}", "--topics=demo", f"--states={redis_url}",
        f"--tables={out / 'tables'}", "--file_wait=30",
    ]  # fmt: skip


def controller(out: Path) -> list[str]:
    """Return the command line of the controller."""
    return [
        "towpath.cli.main", "flows", "serve", "--control", str(out / LOG),
        "--outputs", f"{PROJECT}/subscriptions/transition", "--index", str(out / "index.db"),
        "--publish", f"{PROJECT}/topics/{COMMANDS}", "--every=1",
    ]  # fmt: skip


def command(*words: str) -> None:
    """Show and run one command of ``towpath flows``."""
    typed = ["flows", *words]
    say(f"\n$ towpath {shlex.join(typed)}")
    subprocess.run([sys.executable, "-m", "towpath.cli.main", *typed], check=True)
    say("")


def watch(seconds: float, visitors: Visitors, shown: Shown, run: subprocess.Popen[bytes]) -> None:
    """Print a line of numbers every few seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if run.poll() is not None:
            raise SystemExit("the job has ended; see its log")
        time.sleep(min(EVERY, max(0.0, until - time.monotonic())))
        waiting = shown.waiting()
        steps = ", ".join(f"{count} at {step}" for step, count in waiting.most_common())
        say(
            f"{visitors.published['Cart']:>6} carts {visitors.published['Order']:>6} orders "
            f"{shown.receive():>6} messages   waiting in Redis: {steps or 'none'}"
        )


def results(out: Path) -> None:
    """Print the metrics by SQL, and the number of files."""
    folder = out / "tables" / SPACE
    say("\nmetrics until the last minute or so, by SQL:")
    files = [str(path) for path in listed("step_metric", folder)]
    say(str(duckdb.sql(METRICS.format(files=files))))
    tables = sorted(path.name for path in folder.iterdir())
    for table in tables:
        parts = parts_of(table, folder)
        say(f"  {table:<16}{sum(part.rows for part in parts):>8,} rows in {len(parts)} files")


def demo(out: Path, prism: Path) -> None:
    """Run everything."""
    write_shop(out / "flows")
    os.environ |= {"TOWPATH_CONTROL": str(out / LOG)}
    command("publish", str(out / "flows"))
    command("start", FLOW)
    os.environ |= {"TOWPATH_INDEX": str(out / "index.db")}
    with ExitStack() as running:
        running.enter_context(broker())
        server = RedisServer("valkey")
        running.callback(server.kill)
        running.enter_context(program(controller(out), out / "controller.log"))
        run = running.enter_context(program(job(prism, out, server.url), out / "job.log"))
        visitors = running.enter_context(Visitors())
        shown = Shown(server.url)
        say("the job and its controller start; visitors fill carts and are reminded after 15 s")
        watch(PHASE, visitors, shown, run)
        command("pause", FLOW, "--note", "wrong picture in the reminder")
        watch(PHASE, visitors, shown, run)
        command("resume", FLOW, "--note", "the picture is right now")
        watch(PHASE, visitors, shown, run)
        command("history")
        shown.close()
    results(out)


def main() -> int:
    """Run the demonstration."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.stream_demo")
    parser.add_argument("--prism", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("build/live"))
    asked = parser.parse_args()
    if asked.out.exists() and any(asked.out.iterdir()) and not (asked.out / MARK).is_file():
        print(f"{asked.out} holds something that no demo wrote: name a new folder", file=sys.stderr)
        return 2
    shutil.rmtree(asked.out, ignore_errors=True)
    asked.out.mkdir(parents=True)
    (asked.out / MARK).touch()
    logging.disable(logging.WARNING)
    demo(asked.out, asked.prism)
    return 0


if __name__ == "__main__":
    sys.exit(main())
