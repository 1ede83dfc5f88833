"""``towpath generate``: write a made-up stream of events, for trying out flows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from towpath.cli import common
from towpath.generate import lines

HELP = "write a made-up stream of events, the same for the same seed"
EXAMPLE = "towpath generate --seed 7 --users 1000 --days 60 --out events.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--seed", type=int, default=7, help="what the stream is drawn from (7)")
    parser.add_argument("--users", type=_positive, default=1000, help="how many users (1000)")
    parser.add_argument("--days", type=_positive, default=60, help="how many days (60)")
    parser.add_argument("--bad", type=_count, default=0, help="how many broken lines (0)")
    parser.add_argument("--out", default="-", help="file to write; - for standard output (-)")


def run(args: argparse.Namespace) -> int:
    """Write the stream as JSON lines, and say how many."""
    stream = (f"{line}\n" for line in lines(args.seed, args.users, args.days, args.bad))
    if args.out == "-":
        # Bytes, so that names arrive as UTF-8 whatever the terminal's encoding.
        sys.stdout.buffer.writelines(line.encode() for line in stream)
        return 0
    count = _write(Path(args.out), stream)
    common.say(f"{count:,} lines of {args.users:,} users in {args.out}")
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
    raise argparse.ArgumentTypeError("must be 1 or more")


def _count(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
