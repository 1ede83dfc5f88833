"""``python -m benchmarks``: every figure, and times as multiples of the yardstick."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from benchmarks import core, replays
from benchmarks.core import Figure
from benchmarks.yardstick import yardstick


def main() -> int:
    """Measure and print; 1 if a bound is not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="also a hundred times the sample")
    parser.add_argument("--core", action="store_true", help="the core alone, in seconds")
    parser.add_argument("--shards", type=int, help="replay in shards on disk")
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    args = parser.parse_args()
    unit = yardstick()
    kept = True
    if not args.json:
        print(f"one yardstick is {unit:.2f} us here\n")
    for figure in _figures(args):
        kept = _show(figure, unit, args.json) and kept
    return 0 if kept else 1


def _figures(args: argparse.Namespace) -> Iterator[Figure]:
    yield from core.figures()
    if not args.core:
        yield from replays.figures((1, 10, 100) if args.full else (1, 10), args.shards)


def _show(figure: Figure, unit: float, as_json: bool) -> bool:
    ratio = _ratio(figure, unit)
    kept = figure.bound is None or (figure.value >= figure.bound) == figure.at_least
    if as_json:
        print(json.dumps(figure._asdict() | {"yardsticks": ratio, "kept": kept}))
        return kept
    multiple = f"{ratio:10.2f} yardsticks" if ratio is not None else ""
    bound = (
        ""
        if figure.bound is None
        else f"  {'at least' if figure.at_least else 'at most'} {figure.bound:,g}: {'kept' if kept else 'NOT KEPT'}"
    )
    print(
        f"{figure.name:<52} {figure.value:>12,.1f} {figure.unit:<9} {multiple:<22}{bound}".rstrip(),
        flush=True,
    )
    return kept


def _ratio(figure: Figure, unit: float) -> float | None:
    match figure.unit:
        case "us":
            return figure.value / unit
        case "events/s":
            return 1e6 / figure.value / unit
        case _:
            return None


if __name__ == "__main__":
    raise SystemExit(main())
