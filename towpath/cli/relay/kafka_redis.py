"""``towpath relay kafka redis``: write the job's flow states to Redis."""

from __future__ import annotations

import argparse
import threading
from typing import TYPE_CHECKING

from pipelines.option_words import at_least, redis_address
from towpath.cli.relay.options import (
    add_consumer,
    add_kafka,
    add_reports,
    packages,
    run_from_kafka,
    usable,
)

if TYPE_CHECKING:
    from towpath.relay.from_kafka import FromKafka
    from towpath.relay.process import Reports

EXAMPLE = (
    "towpath relay kafka redis --brokers kafka:9092 --topic flow_state --topic erased "
    "--redis redis://localhost:6379/0"
)

ABOUT = """\
Only what the job has committed is written. Offsets are committed once Redis has confirmed the states. A
state may be written twice, and never replaces a newer one. Give both topics: a user who was erased stays
in Redis otherwise. Relays with the same --group share the partitions. It exits with 1 if it read what is
no flow state, or Redis refused one: these are counted, logged and left out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = f"{ABOUT}\n\n{parser.epilog}"
    add = parser.add_argument
    add_consumer(parser, "the topics flow_state and erased of the job", "towpath-redis")
    add("--redis", type=redis_address, required=True, metavar="URL",
        help="redis://, rediss://, unix://, or env:NAME to read the address from that environment "
        "variable (for passwords)")  # fmt: skip
    add("--epoch", type=at_least(0), default=0, metavar="N",
        help="number of the job's states: give a job that starts without the states of the one before "
        "it the next number, so that its flow states replace the old ones (default: 0)")  # fmt: skip
    add_reports(parser)
    add_kafka(parser)


def run(args: argparse.Namespace) -> int:
    """Relay until SIGTERM or SIGINT; exit with 1 if states were left out or not confirmed."""
    with packages():
        from towpath.relay.kafka_to_redis import KafkaToRedis
        from transforms.sinks.redis import open_states

    with usable():
        states = open_states(args.redis, epoch=args.epoch)

    def make(reader: FromKafka, stopped: threading.Event, reports: Reports) -> KafkaToRedis:
        return KafkaToRedis(reader, states, stopped, reports)

    return run_from_kafka(args, make, "states")
