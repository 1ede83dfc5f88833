"""Tables as part files in folders by day, and their manifests; shared by all file sinks.

The same rows give the same files with the same names and bytes, in any order: rows are sorted,
duplicates written once, and a part is named by its shard or its contents. A part is written
atomically. The manifest, written last, names the parts of the table (R31): one file with all of
them (``finish``), one for each addition (``add_parts``), or both. Additions are separate files, so
concurrent writers need no lock. A part whose rows grow is written again as a new version, and
readers take the newest (``add_version``).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

import schemas
from transforms.sinks.checked import BadRow, Refused
from transforms.sinks.remote import Remote
from transforms.wire.rows import Row, canonical, problem

Place = Path | Remote
P = TypeVar("P", Path, Remote)

By = Literal["day", "hour"]
FOLDERS: dict[By, str] = {"day": "day=%Y-%m-%d", "hour": "day=%Y-%m-%d/hour=%H"}
SIZES: dict[By, int] = {"day": 86_400_000, "hour": 3_600_000}
MANIFEST = "_manifest.json"
UNFINISHED = ".part-"
"""How the names of files begin that are not yet finished."""

MERGED = "part-merged-"
"""How the names of files begin that a compaction made of others of their folder."""

ADDED = "_manifest"
"""A folder with the additions to the manifest."""


_VERSION = re.compile(r"-v(\d{12})(?=\.)")


class Part(msgspec.Struct, frozen=True, gc=False):
    """A written file: its path below the table's folder, rows, bytes and a hash of the bytes."""

    path: str
    rows: int
    bytes: int
    hash: str


class Replaced(msgspec.Struct, frozen=True, gc=False):
    """A part whose rows are in other parts since an instant (ms): readers leave it out."""

    path: str
    at: int


class Listing(msgspec.Struct, frozen=True, gc=False):
    """The parts of a table, and the paths of parts whose rows are in other parts now."""

    parts: tuple[Part, ...]
    replaced: frozenset[str]


class Written(msgspec.Struct, frozen=True, gc=False):
    """The result of a write; ``bad`` holds the first hundred of ``bad_rows`` rejected rows."""

    parts: tuple[Part, ...] = ()
    rows: int = 0
    bad_rows: int = 0
    bad: tuple[BadRow, ...] = ()


def write_parts(
    kind: str,
    rows: Iterable[Row],
    folder: Place,
    encode: Callable[[str, list[Row]], bytes],
    suffix: str,
    by: By,
    shard: str,
) -> Written:
    """Write the rows of one kind below ``folder/kind``, one part per day or hour."""
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
    """Drop duplicates; order rows with the same sort key by their contents."""
    for _, alike in groupby(ordered, key=sort):
        first, *others = alike
        if others:
            yield from dict(sorted((canonical(row), row) for row in [first, *others])).values()
        else:
            yield first


def _write(table: Place, place: str, data: bytes, suffix: str, shard: str, rows: int) -> Part:
    digest = blake2b(data, digest_size=16).hexdigest()
    path = f"{place}/part-{shard or digest[:16]}{suffix}"
    write_whole(table / path, data)
    return Part(path, rows, len(data), digest)


def write_whole(path: Place, data: bytes) -> None:
    """Write a file atomically: under a temporary name, then renamed."""
    if isinstance(path, Remote):
        path.write_whole(data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partly = path.with_name(f"{UNFINISHED}{secrets.token_hex(8)}")
    try:
        with partly.open("xb") as file:
            file.write(data)
        partly.replace(path)
    except BaseException:
        partly.unlink(missing_ok=True)
        raise


def finish(kind: str, folder: P, written: Iterable[Written]) -> P:
    """Write the manifest of a table, after all of its parts, and return its path.

    It replaces the earlier manifest and all additions.
    """
    added = _added(folder / kind)
    path = folder / kind / MANIFEST
    write_whole(path, _manifest(kind, [part for one in written for part in one.parts]))
    for entry in added:
        entry.unlink(missing_ok=True)
    return path


def add_parts(kind: str, folder: Place, parts: Iterable[Part]) -> None:
    """Add parts to a table's manifest; repeating an addition changes nothing.

    A part with an existing name replaces the old one. Any number of workers may add parts
    concurrently, on any store.
    """
    found = list(parts)
    name = _entry([part.path for part in found])
    write_whole(folder / kind / ADDED / name, _manifest(kind, found))


def _entry(paths: list[str]) -> str:
    """Name the addition of some parts by their first day and a hash of their paths."""
    digest = blake2b("\n".join(sorted(paths)).encode(), digest_size=8)
    first = min(paths).partition("/")[0]
    return f"{first.rpartition('=')[2]}-{digest.hexdigest()}.json"


def version_name(shard: str, version: int) -> str:
    """Return the name of one version of a shard; a higher version replaces a lower one."""
    return f"{shard}-v{version:012}"


def add_version(kind: str, folder: Place, part: Part) -> bool:
    """Add a version of a part to a table's manifest, unless a newer one is listed.

    Concurrent or repeated writers can leave an older version in the manifest, where readers ignore
    it. Older versions are removed; only the file of the last one stays, for readers that have started.
    """
    table = folder / kind
    place = part.path.rpartition("/")[0]
    base = _VERSION.sub("", part.path)
    paths = (f"{place}/{path.name}" for path in _files(table / place))
    others = [path for path in paths if _VERSION.sub("", path) == base and path != part.path]
    for path in others:
        if _version(path) > _version(part.path) and (table / ADDED / _entry([path])).exists():
            (table / part.path).unlink(missing_ok=True)
            return False
    add_parts(kind, folder, [part])
    older = sorted((path for path in others if _version(path) < _version(part.path)), key=_version)
    for path in older:
        (table / ADDED / _entry([path])).unlink(missing_ok=True)
    for path in older[:-1]:
        (table / path).unlink(missing_ok=True)
    return True


def _manifest(kind: str, parts: Iterable[Part]) -> bytes:
    named = {part.path: part for part in parts}
    manifest = {"kind": kind, "parts": [named[path] for path in sorted(named)]}
    return msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"


def parts_of(kind: str, folder: Place) -> tuple[Part, ...]:
    """Read the manifest of a table; empty if there is none."""
    return listing(kind, folder).parts


def listing(kind: str, folder: Place) -> Listing:
    """Read the manifest of a table, with the paths of files that a compaction has replaced."""
    entries = _entries(folder / kind)
    replaced = frozenset(one.path for entry in entries for one in entry.replaced)
    parts = (part for entry in entries for part in entry.parts)
    named = {part.path: part for part in parts if part.path not in replaced}
    newest: dict[str, str] = {}
    for path in sorted(named, key=_version):
        newest[_VERSION.sub("", path)] = path
    return Listing(tuple(named[path] for path in sorted(newest.values())), replaced)


def _entries(table: Place) -> list[_Manifest]:
    """Read all entries of a manifest; again if one of them has been replaced meanwhile."""
    for last in (False, False, False, True):
        files = [path for path in (table / MANIFEST, *_added(table)) if path.exists()]
        try:
            return [read_manifest(path.read_bytes()) for path in files]
        except FileNotFoundError:
            if last:
                raise
    raise AssertionError


def _version(path: str) -> int:
    found = _VERSION.search(path)
    return -1 if found is None else int(found[1])


class _Manifest(msgspec.Struct):
    """A manifest, or an addition to it; a compaction also says which parts it replaced."""

    parts: list[Part]
    replaced: list[Replaced] = []


read_manifest = msgspec.json.Decoder(_Manifest).decode


def _added(table: Place) -> list[Place]:
    return sorted((path for path in _files(table / ADDED) if path.name.endswith(".json")), key=str)


def _files(place: Place) -> Iterable[Place]:
    """List the files of a folder, without hidden ones."""
    return place.files() if isinstance(place, Remote) else place.glob("[!.]*")


def listed(kind: str, folder: P) -> tuple[P, ...]:
    """List the part files in a table's manifest; empty if there is none."""
    return tuple(folder / kind / part.path for part in parts_of(kind, folder))


def prune(kind: str, folder: Path) -> tuple[Path, ...]:
    """Remove the part files that are not in the manifest: those of an earlier run."""
    named = set(listed(kind, folder))
    stale = tuple(sorted(set((folder / kind).rglob("part-*")) - named))
    for path in stale:
        path.unlink()
    return stale
