"""What the commands on a control log share: its address, its store, and the index of sessions."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from towpath.cli import common

if TYPE_CHECKING:
    from towpath.control.sessions import Sessions
    from towpath.control.store import ControlStore, Held

CONTROL, INDEX, BY = "TOWPATH_CONTROL", "TOWPATH_INDEX", "TOWPATH_BY"
QUIET = 60_000
"""How long, in ms, a log may not have been completed before a command warns of it."""


def add_control(parser: argparse.ArgumentParser) -> None:
    """Declare the options of every command."""
    parser.add_argument(
        "--control",
        metavar="ADDRESS",
        help="the control log: a file, gs://BUCKET/NAME, redis://HOST:PORT/0?space=NAME, or "
        f"env:VARIABLE (default: ${CONTROL})",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_index(parser: argparse.ArgumentParser) -> None:
    """Declare where the index of sessions is."""
    parser.add_argument(
        "--index",
        metavar="FILE",
        help="the index of live sessions that `towpath flows serve` keeps; without it, numbers "
        f"of sessions are not known (default: ${INDEX})",
    )


def now() -> int:
    """Return the time in ms UTC."""
    return time.time_ns() // 1_000_000


def address_of(args: argparse.Namespace) -> str:
    """Return the address of the log. Raises UserError if there is none."""
    address: str | None = args.control or os.environ.get(CONTROL)
    if not address:
        raise common.UserError(f"name the control log with --control or the variable {CONTROL}")
    return address


def open_store(address: str) -> ControlStore:
    """Open the log. Raises UserError for an address that no store can write."""
    from towpath.control.store import store_of

    try:
        return store_of(address)
    except (ValueError, ImportError) as error:
        raise common.UserError(str(error)) from None


@contextmanager
def readable() -> Iterator[None]:
    """Turn an error of the log into a UserError."""
    from transforms.sources.control_log.log import LogError

    try:
        yield
    except LogError as error:
        raise common.UserError(str(error), code=1) from None


@contextmanager
def sessions(args: argparse.Namespace) -> Iterator[Sessions | None]:
    """Open the index of sessions, None if none is named. Raises UserError if it cannot be read."""
    path = args.index or os.environ.get(INDEX)
    if not path:
        yield None
        return
    from towpath.control.index import Index, InvalidIndex

    try:
        index = Index(Path(path), read_only=True)
    except InvalidIndex as error:
        raise common.UserError(str(error), code=1) from None
    with index:
        yield index


def warn_of_silence(held: Held, instant: int) -> None:
    """Warn if nobody declares the log complete, since workers wait for that."""
    from transforms.flows.clock.zones import iso

    if not held.records or held.complete_until + QUIET >= instant:
        return
    until = "never was" if held.complete_until < 0 else f"is until {iso(held.complete_until)} only"
    common.say(
        common.paint("warning: ", "yellow", sys.stderr)
        + f"the log {until} declared complete, and workers wait for that; is `towpath flows serve` "
        "running?"
    )
