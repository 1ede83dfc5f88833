"""Write files into a folder of flows: never outside of it, and overwrite only if forced.

Everything is checked before the first file is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from towpath.cli import common
from towpath.cli.projects import read_definitions
from towpath.portable import space_subset
from towpath.portable.packing import definitions
from towpath.portable.space_merging import merged
from transforms.flows.diagnostics import Problem
from transforms.flows.reading.project import SPACE, load_project
from transforms.hosting import sandbox


class Plan(msgspec.Struct, frozen=True, gc=False):
    """The files to write, the files that are already up to date, and notes about the space."""

    write: dict[Path, str]
    same: tuple[Path, ...]
    notes: tuple[str, ...]

    @property
    def written(self) -> list[str]:
        """Return the paths that are written."""
        return [path.as_posix() for path in self.write]


def plan(files: Mapping[str, str], into: Path, force: bool) -> Plan:
    """Compare the files with the folder; raise ``UserError`` if they conflict."""
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
        message = f"{', '.join(differ)} would be overwritten; use --force to overwrite"
        raise common.UserError(message, code=1)
    _check(here, new)
    return Plan(write, tuple(same), tuple(notes))


def unpack(files: Mapping[str, str], into: Path, force: bool) -> Plan:
    """Write files into a folder and report them; raise ``UserError`` if they conflict."""
    planned = plan(files, into, force)
    for path, text in planned.write.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        common.say(f"wrote {path.as_posix()}")
    for note in planned.notes:
        common.say(f"note: {note}")
    return planned


def _here(into: Path) -> dict[str, str]:
    """Read the definitions of the folder, by path relative to it."""
    if into.exists() and not into.is_dir():
        raise common.UserError(f"{into} is not a folder")
    if not into.is_dir():
        return {}
    found = read_definitions(into)
    return {Path(path).relative_to(into).as_posix(): text for path, text in found.items()}


def _inside(into: Path, name: str) -> Path:
    """Return the path of a file in the folder; raise ``UserError`` if a link leads outside."""
    path = into / name
    if not path.resolve().is_relative_to(into.resolve()):
        raise common.UserError(f"{path} is outside of {into}", code=1)
    return path


def _with_space(
    files: Mapping[str, str], here: Mapping[str, str], into: Path
) -> tuple[dict[str, str], list[str]]:
    """Replace the files' space by the folder's space, with the missing entries added."""
    if SPACE not in files or SPACE not in here:
        return dict(files), []
    place = (into / SPACE).as_posix()
    wrong = space_subset.conflicts(here[SPACE], files[SPACE])
    missing = space_subset.lacking(here[SPACE], files[SPACE])
    space = merged(here[SPACE], files[SPACE])
    for line in wrong or (missing if space is None else []):
        common.say(f"{place}:1:1: {line} [space-differs]")
    if wrong:
        raise common.UserError(f"{place} conflicts with the flows; change one of them", code=1)
    if space is None:
        raise common.UserError(
            f"{place} lacks entries that the flows need; add them by hand", code=1
        )
    others = space_subset.other_settings(here[SPACE], files[SPACE])
    notes = [f"{key} in {place} differs from the flows' original space" for key in others]
    return {**files, SPACE: space}, notes


def _check(here: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Load the folder as it will be; raise ``UserError`` if the new files have errors."""
    new = definitions(dict(files))
    project = load_project({**here, **new}, sandbox.check_source)
    found = [p for p in project.problems if p.severity == "error" and _of(p, new)]
    common.show_problems(found, project.files)
    if found:
        raise common.UserError(
            "the flows have problems in this folder; nothing was written", code=1
        )


def _of(problem: Problem, new: Mapping[str, str]) -> bool:
    return problem.path in new or problem.code == "duplicate-flow"
