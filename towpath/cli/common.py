"""What the commands share: data on stdout, talk on stderr, colour only where someone looks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import msgspec

from transforms.flows.diagnostics import Problem, show
from transforms.flows.reading.project import Project, load_project
from transforms.hosting import sandbox

STYLES = {
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
    "bold": "1",
    "dim": "2",
}


class UserError(Exception):
    """Something that the user can put right: shown without a traceback.

    ``code`` is the exit code: 1 for problems in what was read, 2 for wrong use.
    """

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def colours(stream: TextIO) -> bool:
    """Whether a stream takes colour: a terminal, and NO_COLOR not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str, stream: TextIO) -> str:
    """Put a style of ``STYLES`` around a text, where the stream takes colour."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if colours(stream) else text


def say(text: str) -> None:
    """Talk to the user: on stderr, so that stdout stays data."""
    print(text, file=sys.stderr)


def next_command(command: str) -> None:
    """End with the command to try next; only where someone looks."""
    if sys.stderr.isatty():
        say(f"{paint('next:', 'dim', sys.stderr)} {command}")


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    print(msgspec.json.encode(value).decode())


def write_out(text: str, path: str | None) -> None:
    """Write a text to a file, or to stdout if there is none (or for ``-``)."""
    if path is None or path == "-":
        sys.stdout.write(text)
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def read_text(path: Path) -> str:
    """Read a file as UTF-8, or raise a ``UserError`` that says why not."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})", code=1) from None
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def read_definitions(folder: Path, chosen: set[str] | None = None) -> dict[str, str]:
    """Read the definitions of one folder into a mapping from path to text.

    These are its YAML files and the templates in ``messages``; other folders are projects of
    their own. Where flows were ``chosen``, another one that cannot be read is left out.
    """
    files = [path for path in folder.iterdir() if path.suffix in (".yaml", ".yml")]
    files += (folder / "messages").glob("*.liquid")
    found = {}
    for path in sorted(path for path in files if not path.name.startswith(".")):
        try:
            found[path.as_posix()] = read_text(path)
        except UserError as error:
            needed = path.suffix == ".liquid" or path.stem == "space"
            if needed or chosen is None or path.as_posix() in chosen:
                raise
            say(f"left out {error}")
    return found


class Selected(msgspec.Struct, frozen=True):
    """A project, and the paths of those of its flows that were asked for."""

    project: Project
    paths: tuple[str, ...]

    def problems(self) -> Iterator[Problem]:
        """Give the problems of the flows asked for, and of all that they share."""
        others = set(self.project.flow_files) - set(self.paths)
        return (problem for problem in self.project.problems if problem.path not in others)


def load_projects(names: Iterable[str]) -> list[Selected]:
    """Load the projects that files and folders belong to.

    A flow's file brings the space and the templates of its folder; a folder brings all flows
    in it and in the folders below. Raises ``UserError`` where there is nothing.
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


def one_file_an_id(projects: Iterable[Selected]) -> None:
    """Raise ``UserError`` if two files have flows of one id in one space."""
    found: dict[tuple[str, str], str] = {}
    for selected in projects:
        project = selected.project
        for ident, path in project.paths.items():
            if path not in selected.paths:
                continue
            other = found.setdefault((project.space.name, ident), path)
            if Path(other).resolve() != Path(path).resolve():
                raise UserError(f'two flows are called "{ident}": {other} and {path}', code=1)


def show_problems(problems: Iterable[Problem], files: Mapping[str, str]) -> None:
    """Show problems on stderr, each with its source line."""
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
    """Find the folders that hold definitions, the root first."""
    closed: list[OSError] = []
    inside = [
        Path(folder, name)
        for folder, _, names in os.walk(root, onerror=closed.append)
        for name in names
        if name.endswith((".yaml", ".yml"))
    ]
    for error in closed:
        raise UserError(f"{error.filename}: {(error.strerror or str(error)).lower()}")
    folders = {path.parent for path in inside if not _hidden(path.relative_to(root))}
    if not folders:
        raise UserError(f"{root}: no definitions (.yaml files) in it")
    return sorted(folders)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in path.parts)
