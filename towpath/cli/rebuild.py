"""``towpath rebuild redis``: write the flow states in Redis anew from what a job has written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from towpath.cli import common
from towpath.cli.progress import ReplayProgress
from transforms.flows.diagnostics import printable, shortened
from transforms.flows.protocol.outputs import Erased
from transforms.wire.raw import Bad

if TYPE_CHECKING:
    from towpath.flow_state_records import Found
    from transforms.sinks.redis import FlowStates

EXAMPLE = "towpath rebuild redis redis://localhost:6379/0 gs://bucket/tables --space shop"
BATCH = 5_000
SHOWN = 5


class Totals(msgspec.Struct):
    """Records read and rejected, states written, and those that Redis had as new or newer."""

    read: int = 0
    written: int = 0
    stale: int = 0
    rejected: int = 0
    erasures: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("what", choices=("redis",), help="what to rebuild: redis, the flow states of users")
    add("address", metavar="URL", help="redis://, rediss://, unix://, or env:NAME")
    add("sources", nargs="+", metavar="SOURCE",
        help="a folder or store with the job's tables, files of the topics flow_state and erased "
        "(JSON lines or Avro), or projects/P/subscriptions/S")  # fmt: skip
    add("--space", help="the space to rebuild, and that of records without one (default: all)")
    add("--epoch", type=int, default=0, metavar="N", help="the --epoch of the job (default: 0)")
    add("--json", action="store_true", help="print the numbers as JSON")


def run(args: argparse.Namespace) -> int:
    """Write the states; exit with 1 if a record was rejected."""
    if args.epoch < 0:
        raise common.UserError("--epoch is a number from 0 on")
    totals = Totals()
    states = _open(args.address, args.epoch)
    with ReplayProgress() as progress:

        def write(found: Iterable[Found | Bad]) -> None:
            _write(states, found, totals)
            progress.update("states", totals.read)

        for source in args.sources:
            _read(source, args.space, write)
    _report(totals, args.json)
    return 1 if totals.rejected else 0


def _open(address: str, epoch: int) -> FlowStates:
    try:
        from transforms.sinks.redis import open_states
    except ImportError as error:
        raise common.UserError(f"{error}; run pip install 'towpath[redis]'") from None
    try:
        return open_states(address, epoch=epoch)
    except ValueError as error:
        raise common.UserError(str(error)) from None


def _read(source: str, space: str | None, write: Callable[[Iterable[Found | Bad]], None]) -> None:
    from towpath import flow_state_records as records

    try:
        if records.is_subscription(source):
            records.drain(source, space or "default", write)
            return
        found = records.read(source, space)
        while some := list(islice(found, BATCH)):
            write(some)
    except ImportError as error:
        raise common.UserError(f"{error}; run pip install 'towpath[pubsub]'") from None
    except ValueError as error:
        raise common.UserError(str(error)) from None


def _write(states: FlowStates, found: Iterable[Found | Bad], totals: Totals) -> None:
    """Write records to Redis, count them, and report the first rejected ones."""
    from redis import RedisError

    good = []
    for one in found:
        totals.read += 1
        if isinstance(one, Bad):
            _reject(f"{one.file}:{one.line}: {one.detail} [{one.reason}]", totals)
        else:
            good.append(one)
            totals.erasures += isinstance(one[1], Erased)
    try:
        wrote = states.write(good)
    except RedisError as error:
        raise common.UserError(f"Redis: {error}; run the command again", code=1) from None
    totals.written += wrote.written
    totals.stale += wrote.stale
    for bad in wrote.bad:
        _reject(f"{bad.id}: {bad.detail}", totals)
    totals.rejected += wrote.bad_rows - len(wrote.bad)


def _reject(text: str, totals: Totals) -> None:
    totals.rejected += 1
    if totals.rejected <= SHOWN:
        common.say(common.paint(printable(shortened(text)), "red", sys.stderr))


def _report(totals: Totals, as_json: bool) -> None:
    if as_json:
        common.print_json(totals)
    else:
        common.show_text(
            f"{totals.read:,} records: {totals.written:,} written, {totals.stale:,} not newer than"
            f" what is in Redis, {totals.rejected:,} rejected"
        )
    if totals.read and not totals.erasures:
        common.say("no erasures among the records: give the table or topic erased, too, if any")
