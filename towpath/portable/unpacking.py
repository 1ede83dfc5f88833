"""Files put into a folder of flows: nothing outside of it, nothing overwritten unasked.

Everything is checked before the first file is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from towpath.cli import common
from towpath.portable import space_subset
from towpath.portable.packing import definitions
from towpath.portable.space_merging import merged
from transforms.flows.diagnostics import Problem
from transforms.flows.reading.project import SPACE, load_project
from transforms.hosting import sandbox


class Plan(msgspec.Struct, frozen=True, gc=False):
    """What is to be written where, what is there already, and what to say about the space."""

    write: dict[Path, str]
    same: tuple[Path, ...]
    notes: tuple[str, ...]

    @property
    def written(self) -> list[str]:
        """Name the files that are written."""
        return [path.as_posix() for path in self.write]


def plan(files: Mapping[str, str], into: Path, force: bool) -> Plan:
    """Compare files with what is in the folder; raise ``UserError`` where they do not fit."""
    here = _here(into)
    new, notes = _with_space(files, here, into)
    write: dict[Path, str] = {}
    same, differ = list[Path](), list[str]()
    for name, text in new.items():
        path = _inside(into, name)
        if path.exists() and common.read_text(path) == text:
            same.append(path)
            continue
        write[path] = text
        if path.exists() and name != SPACE:
            differ.append(path.as_posix())
    if differ and not force:
        said = f"{', '.join(differ)} would be overwritten; --force does so"
        raise common.UserError(said, code=1)
    _fit(here, new)
    return Plan(write, tuple(same), tuple(notes))


def put_in(files: Mapping[str, str], into: Path, force: bool) -> Plan:
    """Write files into a folder, and say so; raise ``UserError`` where they do not fit."""
    planned = plan(files, into, force)
    for path, text in planned.write.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        common.say(f"wrote {path.as_posix()}")
    for note in planned.notes:
        common.say(f"note: {note}")
    return planned


def _here(into: Path) -> dict[str, str]:
    """Read the definitions of the folder by their paths in it."""
    if into.exists() and not into.is_dir():
        raise common.UserError(f"{into}: not a folder")
    if not into.is_dir():
        return {}
    found = common.read_definitions(into)
    return {Path(path).relative_to(into).as_posix(): text for path, text in found.items()}


def _inside(into: Path, name: str) -> Path:
    """Place a file in the folder; raise ``UserError`` if a link leads out of it."""
    path = into / name
    if not path.resolve().is_relative_to(into.resolve()):
        raise common.UserError(f"{path} leads out of {into}", code=1)
    return path


def _with_space(
    files: Mapping[str, str], here: Mapping[str, str], into: Path
) -> tuple[dict[str, str], list[str]]:
    """Put the folder's own space, with what it lacks, in the place of the files' space."""
    if SPACE not in files or SPACE not in here:
        return dict(files), []
    place = (into / SPACE).as_posix()
    wrong = space_subset.conflicts(here[SPACE], files[SPACE])
    missing = space_subset.lacking(here[SPACE], files[SPACE])
    space = merged(here[SPACE], files[SPACE])
    for line in wrong or (missing if space is None else []):
        common.say(f"{place}:1:1: {line} [space-differs]")
    if wrong:
        raise common.UserError(f"{place} and the flows do not agree; change one of them", code=1)
    if space is None:
        raise common.UserError(f"{place} lacks what the flows need; add it by hand", code=1)
    others = space_subset.other_settings(here[SPACE], files[SPACE])
    notes = [f"{key} of {place} is not that of the flows' own space" for key in others]
    return {**files, SPACE: space}, notes


def _fit(here: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Load what the folder will hold; raise ``UserError`` if the new files have errors in it."""
    new = definitions(dict(files))
    project = load_project({**here, **new}, sandbox.check_source)
    found = [p for p in project.problems if p.severity == "error" and _of(p, new)]
    common.show_problems(found, project.files)
    if found:
        raise common.UserError("the flows have problems here; nothing was written", code=1)


def _of(problem: Problem, new: Mapping[str, str]) -> bool:
    return problem.path in new or problem.code == "duplicate-flow"
