"""``towpath validate-events``: check a publisher's records before they are sent."""

from __future__ import annotations

import argparse
import difflib
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from towpath.cli import common
from towpath.replay.request import mapping_of, refuse_unused_mapping
from towpath.reports.bad_records import Groups
from transforms.flows.diagnostics import printable, shortened
from transforms.flows.protocol.signals import Signal
from transforms.sources.files import read
from transforms.wire.decode import decode
from transforms.wire.mapping import Mapping
from transforms.wire.raw import Bad, Raw

EXAMPLE = "towpath validate-events events.jsonl"

HINTS = {
    "not_json": "write one JSON object a line, in UTF-8, without NaN or Infinity",
    "not_utf8": "write the file in UTF-8",
    "not_csv": "quote fields with commas, quotes or line breaks, and double the quotes inside",
    "out_of_range": "write times as ISO text or ms since 1970, not seconds; numbers have 64 bits",
    "too_large": "a record may have at most 256 KiB, each of its maps 32 KiB",
    "too_deep": "maps and lists may be nested at most 16 levels deep",
    "unreadable": "the file is damaged or incomplete; write it again",
    "unknown_format": "rename the file, or write JSON lines (.jsonl) or Avro (.avro)",
}
"""A hint for each reason; ``_misspelt`` adds a better one for missing fields."""

CAUSE = ": "
"""Precedes the likely cause in a message, which needs no hint."""

_FIELD = re.compile(r"`(\w+)`|neither (userId)")
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class BadRecord(msgspec.Struct, frozen=True):
    """A record that would be refused: location, reason and hint."""

    path: str
    line: int
    code: str
    message: str
    help: str

    @property
    def problem(self) -> str:
        """Return the problem with its hint, as it follows the place."""
        more = f"; {self.help}" if self.help else ""
        return f": {self.message}{more} [{self.code}]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="JSON lines, Avro, or tables (CSV, Parquet)"
    )
    parser.add_argument(
        "--map", metavar="FILE", help="mapping from table columns to events, as for replay"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per bad record")


def run(args: argparse.Namespace) -> int:
    """Check the files; exit with 1 if a record would be refused."""
    for name in args.files:
        if not Path(name).is_file():
            raise common.UserError(f"{name}: no such file")
    good, bad, mapping = Counter[str](), 0, mapping_of(args.map)
    refuse_unused_mapping(args.map, args.files)
    groups = Groups()
    for name in args.files:
        for found in _check(Path(name), mapping):
            if isinstance(found, BadRecord):
                bad += 1
                if args.json:
                    common.print_json(found)
                else:
                    groups.add(f"{found.path}:{found.line}", found.code, found.problem)
            else:
                good[str(found.__struct_config__.tag)] += 1
    for group in groups:
        for line in group.lines():
            common.say(printable(shortened(line)))
    if groups.others:
        common.say(f"{groups.others:,} records with other problems")
    _summarize(good, bad, args.files)
    return 1 if bad else 0


def _check(path: Path, mapping: Mapping | None) -> Iterator[Signal | BadRecord]:
    for raw in read(path, mapping):
        found = raw if isinstance(raw, Bad) else decode(raw, mapping)
        yield _wrong(raw, found) if isinstance(found, Bad) else found


def _wrong(raw: Raw | Bad, bad: Bad) -> BadRecord:
    helps = HINTS.get(bad.reason, "") if CAUSE not in bad.detail else ""
    if isinstance(raw, Raw) and bad.reason == "missing":
        helps = _misspelt(raw, bad.detail)
    return BadRecord(bad.file, bad.line, bad.reason, bad.detail, helps)


def _misspelt(raw: Raw, detail: str) -> str:
    """Suggest which field was meant for the missing one: ``user_id`` for ``userId``."""
    missing = _FIELD.search(detail)
    if missing is None:
        return ""
    wanted = missing[1] or missing[2]
    plain = {_plain(key): key for key in _names(raw) if key != wanted}
    near = difflib.get_close_matches(_plain(wanted), plain, n=1, cutoff=0.75)
    return f'"{plain[near[0]]}" must be written "{wanted}"' if near else ""


def _names(raw: Raw) -> list[str]:
    if isinstance(raw.body, dict):
        return list(raw.body)
    try:
        return list(_keys(raw.body))
    except (ValueError, RecursionError):
        return []


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _summarize(good: Counter[str], bad: int, files: list[str]) -> None:
    total = sum(good.values()) + bad
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(good.items()))
    text = f"{total} record{'' if total == 1 else 's'}{f' ({kinds})' if kinds else ''}, {bad} bad"
    common.say(common.paint(text, "red" if bad else "green", sys.stderr))
    given = " ".join(shlex.quote(name) for name in files)
    if bad:
        common.next_command(f"towpath validate-events {given}")
    else:
        common.next_command(f"towpath replay FLOW --events {shlex.quote(files[0])}")
