"""How every command changes the log: check, say what changes, ask if sessions end, append."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from towpath.cli import common
from towpath.cli.flows import log

if TYPE_CHECKING:
    from towpath.control.proposals import Proposal
    from towpath.control.sessions import Sessions
    from towpath.control.situation import Situation
    from towpath.control.store import ControlStore, Held

TRIES = 5


def add_change(parser: argparse.ArgumentParser, *, ends: bool = False) -> None:
    """Declare the options of commands that change the log; ``ends``: they may end sessions."""
    log.add_control(parser)
    log.add_index(parser)
    parser.add_argument(
        "--at",
        metavar="TIME",
        help="when it takes effect, in the time zone of the space (default: in 10 seconds)",
    )
    parser.add_argument("--note", metavar="TEXT", help="why, for the history")
    parser.add_argument(
        "--by", metavar="NAME", help=f"who, for the history (default: ${log.BY}, or your user name)"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would change; no writing")
    if ends:
        parser.add_argument("--yes", action="store_true", help="end sessions without a question")


def change(
    args: argparse.Namespace, propose: Callable[[Situation], Proposal], zone: str = "UTC"
) -> int:
    """Carry out a command; ``zone`` is that of the space that an empty log is about to have."""
    from towpath.control.situation import Refused

    store = log.open_store(log.address_of(args))
    try:
        with log.readable(), log.sessions(args) as sessions:
            return _change(args, store, sessions, propose, zone)
    except Refused as error:
        for problem in error.problems:
            common.say(f"{problem.path}:{problem.line}:{problem.column}: {problem.message}")
        raise common.UserError(str(error), code=1) from None


def _change(
    args: argparse.Namespace,
    store: ControlStore,
    sessions: Sessions | None,
    propose: Callable[[Situation], Proposal],
    zone: str,
) -> int:
    from towpath.control.store import NOT_SERVED, Conflict, Late
    from transforms.flows.catalog.epochs import NEVER

    asked = False
    for _ in range(TRIES):
        held = store.read()
        if held.complete_until >= NEVER:
            raise common.UserError(NOT_SERVED, code=1)
        situation = _situation(args, held, sessions, zone)
        proposal = propose(situation)
        if not asked and not args.json:
            _show(proposal)
        if args.dry_run:
            _finish(args, situation, proposal, held, written=False)
            return 0
        if not asked:
            _confirm(args, proposal)
            asked = True
        try:
            store.append(held, proposal.records)
        except Conflict as error:
            raise common.UserError(
                f"{error}: nothing was written. See `towpath flows history`, and run it again", 1
            ) from None
        except Late as error:
            if args.at is not None:
                raise common.UserError(f"{error}: choose a later --at", code=1) from None
            continue  # the question took long
        _finish(args, situation, proposal, held, written=True)
        return 0
    raise common.UserError("the log is always complete until later than now", code=1)


def _situation(
    args: argparse.Namespace, held: Held, sessions: Sessions | None, zone: str
) -> Situation:
    from towpath.control.situation import Situation
    from towpath.control.store import AHEAD, LEAD

    made = log.now()
    at = max(made + LEAD, held.complete_until + AHEAD)
    said = {"by": _who(args), "made_at": made, "note": args.note}
    situation = Situation(held.records, at, sessions, said, zone)
    return situation if args.at is None else situation.moved_to(_instant(args.at, situation))


def _instant(text: str, situation: Situation) -> int:
    from transforms.flows.clock.zones import parse_instant

    found = parse_instant(text, situation.zone)
    if found is None:
        raise common.UserError(f'--at: "{text}" is not a time; write for example 2026-03-01T09:00')
    return found


def _who(args: argparse.Namespace) -> str | None:
    if args.by or os.environ.get(log.BY):
        return args.by or os.environ[log.BY]
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return None


def _show(proposal: Proposal) -> None:
    """Print what changes in words, and how many sessions are concerned."""
    for one in proposal.changes:
        heading = f"{one.what} {one.flow}" if one.flow else one.what
        if one.becomes is not None and one.was != one.becomes:
            heading += f": {one.was} → {one.becomes}" if one.was else f": {one.becomes}"
        common.show_text(common.paint(heading, "bold", sys.stdout))
        for line in one.words:
            common.show_text(f"  {line}")
        if one.concerns:
            common.show_text(f"  {_sessions(one.sessions)}")


def _sessions(counts: Any) -> str:
    from towpath.control.preview import sessions_text

    if counts is None:
        return "how many sessions are concerned is not known: there is no index (--index)"
    versions: dict[int, int] = {}
    for (version, _), count in sorted(counts.items()):
        versions[version] = versions.get(version, 0) + count
    detail = ", ".join(f"{count:,} of version {version}" for version, count in versions.items())
    total = sessions_text(sum(versions.values()))
    return f"{total} concerned: {detail}" if detail else f"{total} concerned"


def _confirm(args: argparse.Namespace, proposal: Proposal) -> None:
    """Ask before sessions end. Raises UserError without a yes."""
    if getattr(args, "yes", True) or not any(one.ends for one in proposal.changes):
        return
    if not sys.stdin.isatty():
        raise common.UserError("this ends sessions: add --yes, or --dry-run to see what changes")
    sys.stderr.write("This ends sessions. Continue? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise common.UserError("nothing was written", code=1)


def _finish(
    args: argparse.Namespace, situation: Situation, proposal: Proposal, held: Held, *, written: bool
) -> None:
    if args.json:
        _print_json(proposal, written=written)
    elif written:
        first, last = proposal.records[0].sequence, proposal.records[-1].sequence
        numbers = f"record {first}" if first == last else f"records {first} to {last}"
        when = situation.show(proposal.records[0].effective_at)
        common.show_text(f"written: {numbers}, effective {when}")
    else:
        common.show_text("nothing was written: --dry-run")
    if written:
        log.warn_of_silence(held, log.now())
        common.next_command(proposal.next)


def _print_json(proposal: Proposal, *, written: bool) -> None:
    common.print_json(
        {
            "written": written,
            "records": proposal.records,
            "changes": [
                {**msgspec.to_builtins(msgspec.structs.replace(one, sessions=None)),
                 "sessions": counts_of(one.sessions)}
                for one in proposal.changes
            ],
        }
    )  # fmt: skip


def counts_of(counts: Any) -> list[dict[str, Any]] | None:
    """Return counts of sessions as JSON."""
    if counts is None:
        return None
    return [
        {"version": version, "step": step, "sessions": count}
        for (version, step), count in sorted(counts.items())
    ]
