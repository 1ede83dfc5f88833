"""What the commands share: results on stdout, messages on stderr, colour on terminals only."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import msgspec

from transforms.flows.diagnostics import Problem, printable, show
from transforms.flows.reading.project import SPACE, Project, is_flow, load_project
from transforms.hosting import sandbox

SHOWN = 5
STYLES = {
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
    "bold": "1",
    "dim": "2",
}
MAX_TEXT = 64 * 1024 * 1024
_COLOUR = re.compile("(\x1b\\[[0-9;]{0,8}m)")
_LAYOUT = re.compile("([\n\t])")


class UserError(Exception):
    """An error that the user can fix: shown without a traceback.

    ``code`` is the exit code: 1 for problems in the input, 2 for wrong usage.
    """

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def colours(stream: TextIO) -> bool:
    """Return True if the stream is a terminal that shows colour and NO_COLOR is not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str, stream: TextIO) -> str:
    """Escape a text, and wrap it in a style from ``STYLES`` if the stream shows colour."""
    text = escaped(text)
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if colours(stream) else text


def escaped(text: str, *, coloured: bool = False) -> str:
    """Escape control characters, which a terminal would execute, but no line ends and tabs.

    ``coloured`` also keeps codes that set a colour.
    """
    if coloured:
        parts = _COLOUR.split(text)
        return "".join(p if n % 2 else escaped(p) for n, p in enumerate(parts))
    parts = _LAYOUT.split(text)
    return "".join(p if n % 2 else printable(p) for n, p in enumerate(parts))


def say(text: str) -> None:
    """Print a message to stderr, with control characters escaped; stdout is for results only."""
    print(escaped(text, coloured=colours(sys.stderr)), file=sys.stderr)


def show_text(text: str, *, flush: bool = False) -> None:
    """Print a result for people to stdout, with control characters escaped."""
    print(escaped(text, coloured=colours(sys.stdout)), flush=flush)


def next_command(command: str) -> None:
    """Suggest the next command, if stderr is a terminal."""
    if sys.stderr.isatty():
        say(f"{paint('next:', 'dim', sys.stderr)} {command}")


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    print(msgspec.json.encode(value).decode())


def write_out(text: str, path: str | None) -> None:
    """Write a text to a file, or to stdout if the path is None or ``-``."""
    if path is None or path == "-":
        sys.stdout.write(text)
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def read_text(path: Path) -> str:
    """Read a file as UTF-8; raise ``UserError`` if that fails, or if it is larger than 64 MiB."""
    try:
        with path.open("rb") as file:
            return decoded(file, str(path))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})", code=1) from None
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def decoded(file: BinaryIO, name: str) -> str:
    """Read an open file as UTF-8, at most 64 MiB: it may have no end, as /dev/zero."""
    data = file.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise UserError(f"{name}: larger than {MAX_TEXT // 2**20} MiB", code=1)
    return data.decode("utf-8-sig")


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
            raise UserError(f"{name}: no such file or folder")
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


def show_problems(problems: Iterable[Problem], files: Mapping[str, str]) -> None:
    """Print problems to stderr, each with its source line."""
    for problem in problems:
        say(show(problem, files[problem.path], colours(sys.stderr)))


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
