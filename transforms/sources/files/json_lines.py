"""JSON lines: one record per line, not yet decoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from transforms.sources.files.lines import lines
from transforms.wire.raw import WHOLE, Bad, Limits, Range, Raw


def columns(path: Path, limits: Limits) -> Bad | None:
    """Return None, since each line may have other fields, or why the file is unreadable."""
    first = next(read(path, limits), None)
    return first if isinstance(first, Bad) and first.reason == "unreadable" else None


def read(path: Path, limits: Limits, within: Range = WHOLE) -> Iterator[Raw | Bad]:
    """Read each line that is not blank."""
    for item in lines(path, limits, within):
        if isinstance(item, Bad):
            yield item
        elif item[1].strip():
            yield Raw(str(path), *item)
