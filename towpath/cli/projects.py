"""Finds and loads the flows that a command line names: files, and folders with all their flows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from towpath.cli.common import UserError, read_text, say
from transforms.flows.diagnostics import Problem
from transforms.flows.reading.project import SPACE, Project, is_flow, load_project
from transforms.hosting import sandbox

SHOWN = 5


def read_definitions(folder: Path, chosen: set[str] | None = None) -> dict[str, str]:
    """Read the definitions of one folder into a mapping from path to text.

    Definitions are the space, the flows (YAML files with ``flow:``, and those in ``chosen``) and the
    templates in ``messages``; other YAML files, such as mappings, are left out. If ``chosen`` is
    given, other flows that cannot be read are skipped.
    """
    files = [path for path in folder.iterdir() if path.suffix in (".yaml", ".yml")]
    files += (folder / "messages").glob("*.liquid")
    found = {}
    for path in sorted(path for path in files if not path.name.startswith(".")):
        try:
            text = read_text(path)
        except UserError as error:
            needed = path.suffix == ".liquid" or path.stem == "space"
            if needed or chosen is None or path.as_posix() in chosen:
                raise
            say(f"skipped {error}")
            continue
        if is_definition(path, text) or path.as_posix() in (chosen or ()):
            found[path.as_posix()] = text
    return found


def is_definition(path: Path, text: str) -> bool:
    """Return True for a space, a template or a flow, False for another YAML file beside them."""
    return path.suffix == ".liquid" or path.name == SPACE or is_flow(text)


class Selected(msgspec.Struct, frozen=True):
    """A project, and the paths of its flows that the user selected."""

    project: Project
    paths: tuple[str, ...]

    def problems(self) -> Iterator[Problem]:
        """Yield the problems of the selected flows and of the files that they share."""
        others = set(self.project.flow_files) - set(self.paths)
        return (problem for problem in self.project.problems if problem.path not in others)


def load_projects(names: Iterable[str]) -> list[Selected]:
    """Load the projects that contain the given files and folders.

    A flow file is loaded with the space and the templates of its folder; a folder selects all
    flows in it and in its subfolders. YAML files without ``flow:`` are not flows. A subfolder
    without a space, within a folder of flows, has other versions of them, and is left out. Raises
    ``UserError`` if there are no flows.
    """
    wanted: dict[Path, set[str] | None] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            wanted.update(dict.fromkeys(_folders(path)))
        elif not path.exists():
            flow = path.with_name(f"{path.name}.yaml")
            meant = f"; did you mean {flow}?" if flow.exists() else ""
            raise UserError(f"{name}: no such file or folder{meant}")
        elif (chosen := wanted.setdefault(path.parent, set())) is not None:
            chosen.add(path.as_posix())
    return [_selected(folder, chosen) for folder, chosen in wanted.items()]


def refuse_duplicate_ids(projects: Iterable[Selected]) -> None:
    """Raise ``UserError`` if two files of the same space define the same flow id."""
    found: dict[tuple[str, str], str] = {}
    for selected in projects:
        project = selected.project
        for ident, path in project.paths.items():
            if path not in selected.paths:
                continue
            other = found.setdefault((project.space.name, ident), path)
            if Path(other).resolve() != Path(path).resolve():
                raise UserError(f'two flows have the id "{ident}": {other} and {path}', code=1)


def _selected(folder: Path, chosen: set[str] | None) -> Selected:
    project = load_project(read_definitions(folder, chosen), sandbox.check_source)
    flows = project.flow_files
    for path in sorted(chosen or ()):
        if path not in project.files:
            raise UserError(f"{path}: not a flow; a flow is a .yaml file")
    return Selected(project, tuple(p for p in flows if chosen is None or p in chosen))


def _folders(root: Path) -> list[Path]:
    """Return the folders with flows or a space, the root first, and say what is left out."""
    found, others = _definitions(root)
    chosen: list[Path] = []
    for folder in sorted(found):
        above = [path for path in folder.parents if path == root or root in path.parents]
        has_flows = [path for path in above if any(name != SPACE for name in found.get(path, ()))]
        if SPACE in found[folder] or not has_flows:
            chosen.append(folder)
        else:
            others.append(folder)
    if not chosen:
        raise UserError(f'{root}: no flows (.yaml files with "flow:") in it')
    if others:
        names = ", ".join(str(path) for path in others[:SHOWN])
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        say(f'not flows (no "flow:", or in a subfolder without space.yaml): {names}{more}')
    return chosen


def _definitions(root: Path) -> tuple[dict[Path, set[str]], list[Path]]:
    """Return the names of the flows and spaces by folder, and the other YAML files."""
    unreadable: list[OSError] = []
    found: dict[Path, set[str]] = {}
    others: list[Path] = []
    for folder, _, names in os.walk(root, onerror=unreadable.append):
        for name in sorted(names):
            path = Path(folder, name)
            if not name.endswith((".yaml", ".yml")) or _hidden(path.relative_to(root)):
                continue
            if name == SPACE or _may_be_flow(path):
                found.setdefault(path.parent, set()).add(name)
            else:
                others.append(path)
    for error in unreadable:
        raise UserError(f"{error.filename}: {(error.strerror or str(error)).lower()}")
    return found, sorted(others)


def _may_be_flow(path: Path) -> bool:
    """Return True for a flow, and for a file that cannot be read, which is reported later."""
    try:
        return is_flow(path.read_bytes().decode("utf-8-sig", "replace"))
    except OSError:
        return True


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in path.parts)
