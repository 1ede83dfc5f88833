"""Compacts one table of the streaming job: merges its small files, and joins its manifest entries.

A folder of a table (a day) whose files were merged has one entry of the compaction. It lists the files of the folder
and names those that they replaced. Writing it, atomically, is the only change that readers see:
before it they read the small files, after it the merged ones. Replaced files and entries stay for a
while, for readers that have started, and are removed by a later run. So a run may end anywhere.

The names of replaced files are kept for a month, in case a bundle that was retried lists one again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import msgspec

from pipelines.compact.merge import merge
from pipelines.compact.places import files
from transforms.sinks.part_files import (
    ADDED,
    MERGED,
    Part,
    Place,
    Replaced,
    read_manifest,
    write_whole,
)
from transforms.sinks.remote import Remote

ENTRY = "compacted-"
FORGET = 30 * 86_400_000
"""How long the names of replaced files are kept, in ms."""


class Kept(Part, frozen=True, gc=False):
    """A file in the entry of a compaction, and since when it is (ms)."""

    at: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """The entry of the compaction of one folder."""

    kind: str
    parts: list[Kept] = []
    replaced: list[Replaced] = []


class Rules(msgspec.Struct, frozen=True, gc=False):
    """What is merged: files below half of ``size`` bytes, listed at least ``age`` ms ago.

    Replaced files are removed ``keep`` ms after they were replaced.
    """

    size: int
    age: int
    keep: int


class Done(msgspec.Struct, frozen=True):
    """How many files were merged into how many, and how many files were removed."""

    merged: int = 0
    into: int = 0
    removed: int = 0


class _Manifest:
    """The entries of a table: those of the compaction by folder, and those of the job."""

    def __init__(self, kind: str, table: Place) -> None:
        self.kind, self.table = kind, table
        self.own: dict[str, Entry] = {}
        self.added: dict[str, tuple[int, list[Part]]] = {}
        for path, at in files(table / ADDED):
            if path.name.startswith(ENTRY):
                entry = _read(path.read_bytes())
                self.own[_folder_of(path.name)] = entry
            elif path.name.endswith(".json"):
                self.added[path.name] = at, read_manifest(path.read_bytes()).parts

    def remove(self, name: str) -> None:
        (self.table / ADDED / name).unlink(missing_ok=True)
        del self.added[name]

    def write(self, folder: str, entry: Entry) -> None:
        """Write the entry of a folder: from now on readers see its files."""
        data = msgspec.json.format(msgspec.json.encode(entry)) + b"\n"
        write_whole(self.table / ADDED / _name_of(folder), data)
        self.own[folder] = entry


def compact_table(kind: str, folder: Place, rules: Rules, now: int) -> Done:
    """Compact the table of a kind below ``folder``."""
    manifest = _Manifest(kind, folder / kind)
    removed = _remove_replaced(manifest, now - rules.keep)
    named = {part.path for _, parts in manifest.added.values() for part in parts}
    fresh: dict[str, list[Part]] = {}
    for at, parts in manifest.added.values():
        if at <= now - rules.age:
            for part in parts:
                fresh.setdefault(part.path.rpartition("/")[0], []).append(part)
    merged = into = 0
    for place in sorted(fresh.keys() | manifest.own.keys()):
        before = manifest.own.get(place, Entry(kind))
        after, small, new = _compacted(manifest, before, fresh.get(place, []), rules, now)
        replaced = [r for r in after.replaced if r.at > now - FORGET or r.path in named]
        after = msgspec.structs.replace(after, replaced=replaced)
        if after != before:
            manifest.write(place, after)
            merged, into = merged + small, into + new
    return Done(merged, into, removed)


def _compacted(
    manifest: _Manifest, before: Entry, fresh: Iterable[Part], rules: Rules, now: int
) -> tuple[Entry, int, int]:
    """Merge the small files of a folder; return its new entry, and the numbers of files."""
    known = {part.path: part for part in before.parts}
    gone = {one.path: one for one in before.replaced}
    for part in fresh:
        if part.path not in known and part.path not in gone:
            known[part.path] = Kept(part.path, part.rows, part.bytes, part.hash, now)
    small = [part for _, part in sorted(known.items()) if part.bytes < rules.size // 2]
    if len(small) < 2:
        return before, 0, 0
    new = list(_merged(manifest, [part.path for part in small], rules.size))
    for part in small:
        del known[part.path]
        gone[part.path] = Replaced(part.path, now)
    for part in new:
        known[part.path] = Kept(part.path, part.rows, part.bytes, part.hash, now)
        gone.pop(part.path, None)
    parts = [known[path] for path in sorted(known)]
    entry = Entry(manifest.kind, parts, [gone[path] for path in sorted(gone)])
    return entry, len(small), len(new)


def _merged(manifest: _Manifest, paths: list[str], size: int) -> Iterator[Part]:
    """Write merged files; they are named by their contents, and not yet listed."""
    folder = paths[0].rpartition("/")[0]
    with tempfile.TemporaryDirectory(prefix="towpath-compact-") as scratch:
        local = [_fetched(manifest.table / path, Path(scratch)) for path in paths]
        for file, rows in merge(manifest.kind, local, size, Path(scratch)):
            data = file.read_bytes()
            digest = blake2b(data, digest_size=16).hexdigest()
            path = f"{folder}/{MERGED}{digest[:16]}.parquet"
            write_whole(manifest.table / path, data)
            yield Part(path, rows, len(data), digest)


def _fetched(path: Place, scratch: Path) -> Path:
    """Return a local file, which of a store is a copy."""
    if not isinstance(path, Remote):
        return path
    copy = scratch / path.name
    copy.write_bytes(path.read_bytes())
    return copy


def _remove_replaced(manifest: _Manifest, until: int) -> int:
    """Remove what was replaced before an instant: first entries of the job, then files.

    An entry goes when the compaction has listed or replaced all of its files since then. Merged
    files that no entry lists are those of a run that did not end.
    """
    covered: dict[str, int] = {}
    for entry in manifest.own.values():
        covered |= {part.path: part.at for part in entry.parts}
        covered |= {one.path: one.at for one in entry.replaced}
    for name, (_, parts) in [*manifest.added.items()]:
        if all(covered.get(part.path, until + 1) <= until for part in parts):
            manifest.remove(name)
    removed = 0
    for place, entry in manifest.own.items():
        stale = {one.path for one in entry.replaced if one.at <= until}
        if not entry.replaced:
            continue
        for path, at in list(files(manifest.table / place)):
            name = f"{place}/{path.name}"
            left = path.name.startswith(MERGED) and name not in covered and at <= until
            if name in stale or left:
                path.unlink(missing_ok=True)
                removed += 1
    return removed


def _name_of(folder: str) -> str:
    return f"{ENTRY}{folder.replace('/', '_')}.json"


def _folder_of(name: str) -> str:
    return name.removeprefix(ENTRY).removesuffix(".json").replace("_", "/")


_read = msgspec.json.Decoder(Entry).decode
