"""``towpath relay``: carry records between Kafka and other systems. One module per relay."""

from __future__ import annotations

import argparse
import importlib
from typing import cast

from towpath.cli.command import Command

EXAMPLE = (
    "towpath relay pubsub kafka --subscription projects/P/subscriptions/flows "
    "--brokers kafka:9092 --topic events"
)

SUBCOMMANDS = {
    "pubsub kafka": ("pubsub_kafka", "write the messages of a Pub/Sub subscription to a topic"),
    "heartbeats kafka": ("heartbeats_kafka", "send heartbeats to topics that other programs fill"),
    "kafka redis": ("kafka_redis", "write the flow states on topics to Redis"),
    "kafka files": ("kafka_files", "write topics to an archive, for a replay"),
    "kafka tables": ("kafka_tables", "write the outputs on topics to Parquet tables"),
}
"""Every relay, from where to where: its module, and what it does."""

INTRO = """\
A relay runs until SIGTERM or SIGINT. It waits while Kafka or another server is away, and loses
nothing when it is killed. It writes what it has done to stderr, a line a minute."""

Parsers = dict[str, argparse.ArgumentParser]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the relays."""
    parser.epilog = f"{INTRO}\n\n{parser.epilog}"
    add_subcommands(parser)


def add_subcommands(parser: argparse.ArgumentParser) -> Parsers:
    """Add a parser for each relay and return them."""
    begin = parser.add_subparsers(dest="source", required=True, metavar="FROM", title="from")
    groups: dict[str, argparse._SubParsersAction[argparse.ArgumentParser]] = {}
    found = {}
    for name, (_, about) in SUBCOMMANDS.items():
        source, _, target = name.partition(" ")
        if source not in groups:
            targets = [other for other in SUBCOMMANDS if other.startswith(f"{source} ")]
            said = " or ".join(f"`towpath relay {other}`" for other in targets)
            outer = begin.add_parser(source, help=said, allow_abbrev=False)
            groups[source] = outer.add_subparsers(
                dest="target", required=True, metavar="TO", title="to"
            )
        command = load(name)
        found[name] = groups[source].add_parser(
            target,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            epilog=f"example:\n  {command.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(found[name])
    return found


def load(name: str) -> Command:
    """Import the module of one relay."""
    return cast(Command, importlib.import_module(f"{__name__}.{SUBCOMMANDS[name][0]}"))


def run(args: argparse.Namespace) -> int:
    """Run the relay."""
    return load(f"{args.source} {args.target}").run(args)
