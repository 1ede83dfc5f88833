"""``towpath relay heartbeats kafka``: send heartbeats for programs that write to Kafka themselves."""

from __future__ import annotations

import argparse

from pipelines.option_words import kafka_topic
from towpath.cli import common
from towpath.cli.relay.options import (
    add_kafka,
    add_reports,
    brokers_of,
    check_topics,
    packages,
    seconds,
    usable,
)

EXAMPLE = "towpath relay heartbeats kafka events handovers --brokers kafka:9092"

ABOUT = """\
The job on Flink takes its watermark from heartbeats: without them nothing that waits is handled. A
topic that `towpath relay pubsub kafka` fills has them; any other topic that the job reads, that of
handovers too, needs this. The time of a heartbeat is that of the clock minus --slack. With
message.timestamp.type=LogAppendTime the broker sets the times of records and heartbeats itself."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = f"{ABOUT}\n\n{parser.epilog}"
    add = parser.add_argument
    add("topics", type=kafka_topic, nargs="+", metavar="TOPIC", help="topics that the job reads")
    add("--slack", type=seconds(0), default=10.0, metavar="SECONDS",
        help="how late a record may be written after its time (default: 10)")  # fmt: skip
    add("--heartbeat", type=seconds(0.1, 60), default=1.0, metavar="SECONDS",
        help="pause between heartbeats (default: 1)")  # fmt: skip
    add_reports(parser)
    add_kafka(parser)


def run(args: argparse.Namespace) -> int:
    """Send heartbeats until SIGTERM or SIGINT; exit with 1 if the client can send no more."""
    brokers = brokers_of(args)
    with packages():
        from towpath.relay.heartbeats import Heartbeats, send_by_clock
        from towpath.relay.process import Reports, Unconfirmed, ended_by_system
        from transforms.hosting.settings import system_clock

    stopped = ended_by_system()
    with usable():
        check_topics(brokers, args.topics)
        producer = brokers.producer()
    beats, slack = Heartbeats(args.topics, args.heartbeat), round(args.slack * 1000)
    reports = Reports(args.status, args.json)
    try:
        send_by_clock(producer, beats, slack, system_clock, stopped, reports)
    except Unconfirmed as error:
        common.say(str(error))
        return 1
    return 0
