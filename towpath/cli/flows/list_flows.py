"""``towpath flows list``: the flows, their status, sessions and what changed them last."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from towpath.cli import common
from towpath.cli.flows import log
from towpath.cli.flows.change import counts_of

if TYPE_CHECKING:
    from towpath.control.listing import Listed
    from towpath.control.situation import Situation

EXAMPLE = "towpath flows list --control control.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("flows", metavar="FLOW", nargs="*", help="only these flows (default: all)")
    log.add_control(parser)
    log.add_index(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line for each flow, and what will change it."""
    from towpath.control.listing import listed
    from towpath.control.situation import Refused, Situation

    store, instant = log.open_store(log.address_of(args)), log.now()
    try:
        with log.readable(), log.sessions(args) as sessions:
            held = store.read()
            situation = Situation(held.records, instant, sessions)
            rows = listed(situation, args.flows)
    except Refused as error:
        raise common.UserError(str(error), code=1) from None
    if args.json:
        for row in rows:
            common.print_json({**row.as_json(), "sessions": counts_of(row.sessions)})
        return 0
    _show(situation, rows)
    log.warn_of_silence(held, instant)
    return 0


def _show(situation: Situation, rows: list[Listed]) -> None:
    if not rows:
        common.say("the log has no flows; publish one with `towpath flows publish FILE`")
        return
    table = [("flow", "status", "version", "priority", "sessions", "last change")]
    for row in rows:
        count = "not known" if row.sessions is None else f"{sum(row.sessions.values()):,}"
        numbers = str(row.version or ""), str(row.priority)
        table.append((row.flow, row.status, *numbers, count, row.changed))
    for line in common.columns(table):
        common.show_text(line)
    for row in rows:
        for words in row.coming:
            common.show_text(f"  {row.flow} to come: {words}")
    for words in situation_words(situation):
        common.show_text(words)


def situation_words(situation: Situation) -> list[str]:
    """Say which kill switches are on."""
    ids = situation.catalog.ids
    found = []
    for number, channel in situation.epoch.kill_switches:
        of = f" of {ids[number]}" if number is not None else ""
        found.append(f"blocked: {channel or 'everything'}{of} (towpath flows kill … --off)")
    return found
