"""Files and folders of a path or a store, with the times when they were written."""

from __future__ import annotations

from collections.abc import Iterator

from transforms.sinks.part_files import Place
from transforms.sinks.remote import Remote


def files(place: Place) -> Iterator[tuple[Place, int]]:
    """List the files of a folder with their times (ms), without hidden ones."""
    for found, is_folder, at in _entries(place):
        if not is_folder and not found.name.startswith("."):
            yield found, at


def folders(place: Place) -> list[Place]:
    """List the folders in a folder, by name."""
    found = [one for one, is_folder, _ in _entries(place) if is_folder]
    return sorted(found, key=lambda one: one.name)


def _entries(place: Place) -> Iterator[tuple[Place, bool, int]]:
    if isinstance(place, Remote):
        yield from place.entries()
    elif place.is_dir():
        for one in place.iterdir():
            try:
                yield one, one.is_dir(), one.stat().st_mtime_ns // 1_000_000
            except FileNotFoundError:
                continue  # a temporary file that has been renamed meanwhile
