"""``towpath generate``: write a synthetic event stream for trying out flows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from towpath.cli import common
from towpath.generate import lines

EXAMPLE = "towpath generate --seed 7 --users 1000 --days 60 --out events.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--seed", type=int, default=7, help="random seed (default: 7)")
    parser.add_argument(
        "--users", type=_positive, default=1000, help="number of users (default: 1000)"
    )
    parser.add_argument("--days", type=_positive, default=60, help="number of days (default: 60)")
    parser.add_argument(
        "--bad", type=_count, default=0, help="number of malformed lines (default: 0)"
    )
    parser.add_argument("--out", default="-", help="file to write (default: -, stdout)")


def run(args: argparse.Namespace) -> int:
    """Write the stream as JSON lines, and report how many."""
    stream = (f"{line}\n" for line in lines(args.seed, args.users, args.days, args.bad))
    if args.out == "-":
        # Bytes, so that names arrive as UTF-8 whatever the terminal's encoding.
        sys.stdout.buffer.writelines(line.encode() for line in stream)
        return 0
    count = _write(Path(args.out), stream)
    common.say(f"wrote {count:,} lines of {args.users:,} users to {args.out}")
    common.next_command(f"towpath replay FLOW --events {args.out} --until TIME --out DIR")
    return 0


def _write(path: Path, stream: Iterator[str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in stream:
            file.write(line)
            count += 1
    return count


def _positive(text: str) -> int:
    if number := _count(text):
        return number
    raise argparse.ArgumentTypeError("must be at least 1")


def _count(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number >= 0")
