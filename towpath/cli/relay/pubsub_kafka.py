"""``towpath relay pubsub kafka``: write the messages of a subscription to a topic."""

from __future__ import annotations

import argparse

from pipelines.option_words import idle, kafka_topic, subscription
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

EXAMPLE = (
    "towpath relay pubsub kafka --subscription projects/P/subscriptions/flows "
    "--brokers kafka:9092 --topic events"
)

ABOUT = """\
A message is acknowledged once Kafka has confirmed its record. Attributes become headers, the ingestion
time becomes the time of the record, the user its key. A message may be written twice: the job drops
duplicates by their ids. Every partition of the topic gets heartbeats, from which the job takes its
watermark. Run one relay for a topic."""

NEVER = 1 << 53
"""No lease is given up while the relay runs: it waits for Kafka as long as that is away, in ms."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = f"{ABOUT}\n\n{parser.epilog}"
    add = parser.add_argument
    add("--subscription", type=subscription, required=True, metavar="SUBSCRIPTION",
        help="projects/P/subscriptions/S")  # fmt: skip
    add(
        "--topic", type=kafka_topic, required=True, help="topic of Kafka to write to; it must exist"
    )
    add("--timestamp-attribute", metavar="NAME",
        help="attribute with the ingestion time (default: the publish time)")  # fmt: skip
    add("--idle", type=idle, default=10_000, metavar="SECONDS|never",
        help="how long the subscription must be empty before heartbeats follow the clock; never: only "
        "messages move them (default: 10)")  # fmt: skip
    add("--slack", type=seconds(0), default=10.0, metavar="SECONDS",
        help="how much older a message may be than one that came before it (default: 10)")  # fmt: skip
    add("--lease", type=seconds(10, 600), default=30.0, metavar="SECONDS",
        help="how long a message of a relay that was killed is kept from the next one, which sends no "
        "heartbeats for so long (default: 30)")  # fmt: skip
    add("--heartbeat", type=seconds(0.1, 60), default=1.0, metavar="SECONDS",
        help="pause between heartbeats (default: 1)")  # fmt: skip
    add_reports(parser)
    add_kafka(parser)


def run(args: argparse.Namespace) -> int:
    """Relay until SIGTERM or SIGINT; exit with 1 if Kafka refused or did not confirm records."""
    brokers = brokers_of(args)
    with packages():
        from google.auth.exceptions import GoogleAuthError

        from towpath.relay.heartbeats import Heartbeats
        from towpath.relay.kafka import check_times
        from towpath.relay.process import Reports, Unconfirmed, ended_by_system
        from towpath.relay.pubsub_to_kafka import KafkaTopic, PubSubToKafka
        from transforms.sources.pubsub.client import Subscriber
        from transforms.sources.pubsub.leases import Settings
        from transforms.sources.pubsub.reader import PubSubReader

    stopped = ended_by_system()
    with usable():
        check_topics(brokers, [args.topic])
        check_times(brokers.admin(), args.topic)
        try:
            deadline = Subscriber(args.subscription, None).ack_deadline() or 0
        except GoogleAuthError as error:
            raise common.UserError(f"Pub/Sub: {error}", code=1) from None
        topic = KafkaTopic(brokers, args.topic, stopped)
    settings = Settings(
        subscription=args.subscription,
        timestamp_attribute=args.timestamp_attribute,
        slack_ms=round(args.slack * 1000),
        idle_ms=args.idle,
        ack_seconds=round(args.lease),
        longest_ms=NEVER,
    )
    relay = PubSubToKafka(
        PubSubReader(settings),
        topic,
        Heartbeats([args.topic], args.heartbeat),
        Reports(args.status, args.json),
        hold=max(args.lease, deadline),
    )
    try:
        relay.run(stopped)
    except Unconfirmed as error:
        common.say(f"{error}; Pub/Sub delivers them again")
        return 1
    return 1 if relay.counts.refused else 0
