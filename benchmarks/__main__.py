"""``python -m benchmarks``: every cost as a ratio; the exit code is 1 if one is out of its bounds.

``make bench`` writes the figures to ``docs/figures.json``, from which the pages show them.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import appends, core, growth, replays, sample, stream
from benchmarks.ratios import Figure, Growth, show
from benchmarks.written import write

SECTIONS = ("sample", "core", "growth", "replay", "stream")


def main() -> int:
    """Measure, print, and write the figures if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, without bounds")
    parser.add_argument("--full", action="store_true", help="also a hundred times the sample")
    parser.add_argument(
        "--only", choices=SECTIONS, action="append", help="one section; may be repeated"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each pair is measured")
    parser.add_argument(
        "--write", type=Path, help="file to write the measured sections to, if all are kept"
    )
    args = parser.parse_args()
    logging.disable(logging.ERROR)
    found: dict[str, list[Figure]] = {}
    lines: Growth = {}
    code = show(_measured(args, found, lines))
    if args.write and code == 0:
        write(args.write, found, lines)
    return code


def _measured(
    args: argparse.Namespace, found: dict[str, list[Figure]], lines: Growth
) -> Iterator[Figure]:
    for name, figures in _sections(args, lines).items():
        if args.only and name not in args.only:
            continue
        print(f"\n{name}")
        found[name] = []
        for figure in figures():
            free = args.quick or not sample.COMPILED  # the bounds are those of the compiled core
            shown = figure.unbounded() if free else figure
            found[name].append(shown)
            yield shown


def _sections(args: argparse.Namespace, lines: Growth) -> dict[str, Callable[[], Iterator[Figure]]]:
    rounds, quick = 1 if args.quick else args.rounds, args.quick
    sizes = (1, 10, 100) if args.full else (1, 10)

    def growing() -> Iterator[Figure]:
        lines.update(
            growth.growth((1, 3) if quick else growth.SIZES, rounds, 10 if quick else 2_000)
        )
        yield from growth.figures(lines)
        yield from appends.figures(3 if quick else appends.MOST, rounds, 3 if quick else 20)

    return {
        "sample": lambda: sample.figures(30 if quick else None, rounds),
        "core": lambda: core.figures(rounds, 20 if quick else 2_000),
        "growth": growing,
        "replay": lambda: replays.figures(sizes, rounds, replays.SMALL if quick else None, lines),
        "stream": lambda: stream.figures(*((20, 100) if quick else (10_000, 50_000))),
    }


if __name__ == "__main__":
    raise SystemExit(main())
