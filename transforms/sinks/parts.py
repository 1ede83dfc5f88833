"""Tables as part files in folders by day: what every file sink has in common.

The same rows give the same files with the same names and bytes, in whatever order they come:
rows are sorted, equal ones written once, a part is named by its shard or its contents. A part
appears whole or not at all. The manifest, written last, names the parts that count (R31).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import msgspec

import schemas
from transforms.records import Row, canonical, problem
from transforms.sinks.checked import BadRow, Refused

By = Literal["day", "hour"]
FOLDERS: dict[By, str] = {"day": "day=%Y-%m-%d", "hour": "day=%Y-%m-%d/hour=%H"}
SIZES: dict[By, int] = {"day": 86_400_000, "hour": 3_600_000}
MANIFEST = "_manifest.json"


class Part(msgspec.Struct, frozen=True, gc=False):
    """A file written: its path below the table's folder, rows, bytes and a hash of the bytes."""

    path: str
    rows: int
    bytes: int
    hash: str


class Written(msgspec.Struct, frozen=True, gc=False):
    """What a call wrote; ``bad`` holds the first hundred of ``bad_rows`` rows left out."""

    parts: tuple[Part, ...] = ()
    rows: int = 0
    bad_rows: int = 0
    bad: tuple[BadRow, ...] = ()


def write_parts(
    kind: str,
    rows: Iterable[Row],
    folder: Path,
    encode: Callable[[str, list[Row]], bytes],
    suffix: str,
    by: By,
    shard: str,
) -> Written:
    """Write the rows of one kind below ``folder/kind``, one part a day or hour."""
    time = schemas.load(kind)["time"]
    sort = _sorter(kind)
    slots: dict[int, list[Row]] = {}
    refused = Refused()
    for row in rows:
        if (wrong := problem(kind, row)) is not None:
            refused.add(row.get("id", ""), wrong)
            continue
        slots.setdefault(row[time] // SIZES[by], []).append(row)
    parts: list[Part] = []
    for slot in sorted(slots):
        found = list(_once(sorted(slots.pop(slot), key=sort), sort))
        place = datetime.fromtimestamp(slot * SIZES[by] / 1000, UTC).strftime(FOLDERS[by])
        parts.append(_write(folder / kind, place, encode(kind, found), suffix, shard, len(found)))
    return Written(tuple(parts), sum(part.rows for part in parts), refused.count, refused.bad)


@cache
def _sorter(kind: str) -> Callable[[Row], tuple[Any, ...]]:
    order: list[str] = schemas.load(kind)["order"]
    optional = {f["name"] for f in schemas.load(kind)["fields"] if isinstance(f["type"], list)}

    def key(row: Row) -> tuple[Any, ...]:
        return tuple(
            (row[name] is not None, row[name]) if name in optional else row[name] for name in order
        )

    return key


def _once(ordered: Iterable[Row], sort: Callable[[Row], tuple[Any, ...]]) -> Iterator[Row]:
    """Drop rows equal in all; order by contents those that only sort alike."""
    for _, alike in groupby(ordered, key=sort):
        first, *others = alike
        if others:
            yield from dict(sorted((canonical(row), row) for row in [first, *others])).values()
        else:
            yield first


def _write(table: Path, place: str, data: bytes, suffix: str, shard: str, rows: int) -> Part:
    digest = blake2b(data, digest_size=16).hexdigest()
    path = table / place / f"part-{shard or digest[:16]}{suffix}"
    write_whole(path, data)
    return Part(path.relative_to(table).as_posix(), rows, len(data), digest)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name and rename it, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def finish(kind: str, folder: Path, written: Iterable[Written]) -> Path:
    """Write the manifest of a table, after all of its parts; give its path."""
    parts = {part.path: part for one in written for part in one.parts}
    manifest = {"kind": kind, "parts": [parts[path] for path in sorted(parts)]}
    path = folder / kind / MANIFEST
    write_whole(path, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    return path


def listed(kind: str, folder: Path) -> tuple[Path, ...]:
    """List the part files that a table's manifest names; none without a manifest."""
    path = folder / kind / MANIFEST
    if not path.exists():
        return ()
    parts = msgspec.json.decode(path.read_bytes())["parts"]
    return tuple(folder / kind / part["path"] for part in parts)


def prune(kind: str, folder: Path) -> tuple[Path, ...]:
    """Remove the part files that the manifest does not name: those of an earlier, other run."""
    named = set(listed(kind, folder))
    stale = tuple(sorted(set((folder / kind).rglob("part-*")) - named))
    for path in stale:
        path.unlink()
    return stale
