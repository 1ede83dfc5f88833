"""``towpath flows history``: who changed what, when and why."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from towpath.cli import common
from towpath.cli.flows import log

if TYPE_CHECKING:
    from towpath.control.listing import Entry
    from towpath.control.situation import Situation

EXAMPLE = "towpath flows history win_back"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("flow", metavar="FLOW", nargs="?", help="only this flow (default: all)")
    parser.add_argument("--last", metavar="N", type=int, help="only the last N records")
    log.add_control(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line for each record, in the order in which they take effect."""
    from towpath.control.listing import history
    from towpath.control.situation import Refused, Situation

    store, instant = log.open_store(log.address_of(args)), log.now()
    try:
        with log.readable():
            situation = Situation(store.read().records, instant)
            if args.flow is not None:
                situation.moved_to(_end(situation)).flow(args.flow)
            entries = history(situation, args.flow)
    except Refused as error:
        raise common.UserError(str(error), code=1) from None
    if args.last is not None:
        entries = entries[-args.last :] if args.last > 0 else []
    if args.json:
        for entry in entries:
            common.print_json(entry)
        return 0
    for line in common.columns([HEAD, *(_cells(situation, entry) for entry in entries)]):
        common.show_text(line)
    return 0


HEAD = ("record", "effective", "what", "flow", "details", "by", "made", "note")


def _cells(situation: Situation, entry: Entry) -> tuple[str, ...]:
    made = "" if entry.made_at is None else situation.show(entry.made_at)
    return (
        str(entry.sequence), situation.show(entry.effective_at), entry.what, entry.flow or "",
        entry.details, entry.by or "", made, entry.note or "",
    )  # fmt: skip


def _end(situation: Situation) -> int:
    """Return the instant of the last record."""
    return max((record.effective_at for record in situation.records), default=situation.at)
