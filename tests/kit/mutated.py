"""Plays scenarios with some files changed in memory; runs in a separate interpreter.

python -m tests.kit.mutated < ASKED

The files of the project are not changed. Every module is loaded from source: a compiled module
would call its neighbours without the change.
"""

from __future__ import annotations

import difflib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from itertools import takewhile
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("towpath", "transforms")
NO_MESSAGE = "no such message was made"


class Request(msgspec.Struct, frozen=True):
    """What to play: scenarios as ``FILE::TITLE``, and the changed texts by path in the project."""

    proofs: tuple[str, ...]
    texts: dict[str, str] = {}


class Response(msgspec.Struct, frozen=True):
    """The differences by scenario, as diffs of transcripts; ``broken`` says why there are none."""

    differs: dict[str, str] = {}
    broken: str = ""


class _Loader(SourceFileLoader):
    """Loads a module from its source, or from the changed text."""

    def __init__(self, name: str, path: Path, text: str | None) -> None:
        super().__init__(name, str(path))
        self.text = text

    def get_code(self, fullname: str) -> CodeType | None:
        if self.text is None:
            return super().get_code(fullname)
        return self.source_to_code(self.text.encode(), self.path)


class _Finder(MetaPathFinder):
    """Finds the project's own modules before any other finder."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parts = fullname.split(".")
        if parts[0] not in PACKAGES:
            return None
        folder = ROOT.joinpath(*parts)
        package = (folder / "__init__.py").is_file()
        file = folder / "__init__.py" if package else folder.with_suffix(".py")
        if not file.is_file():
            return None
        loader = _Loader(fullname, file, self.texts.get(file.relative_to(ROOT).as_posix()))
        within = [str(folder)] if package else None
        return spec_from_file_location(
            fullname, file, loader=loader, submodule_search_locations=within
        )


def play(asked: Request) -> Response:
    """Play the scenarios; an error of any kind is reported as broken, not as a difference."""
    sys.meta_path.insert(0, _Finder(asked.texts))
    try:
        from towpath import scenario_files  # noqa: F401
        from transforms.scenarios import player as scenario_play  # noqa: F401
    except Exception as error:
        return Response(broken=f"cannot be imported: {_transcript_of(error)}")
    differs = {}
    with tempfile.TemporaryDirectory() as room:
        for path, titles in _by_file(asked.proofs).items():
            try:
                found = dict(_differences(_place_of(path, asked.texts, Path(room)), titles))
            except Exception as error:
                return Response(broken=f"{path} cannot be played: {_transcript_of(error)}")
            differs |= {f"{path}::{title}": diff for title, diff in found.items()}
    return Response(differs)


def _transcript_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _by_file(proofs: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for proof in proofs:
        path, _, title = proof.partition("::")
        found.setdefault(path, []).append(title)
    return found


def _place_of(path: str, texts: dict[str, str], room: Path) -> Path:
    """Return the place of the scenarios; a copy if a flow next to them is changed."""
    here = ROOT / path
    beside = {p: text for p, text in texts.items() if (ROOT / p).is_relative_to(here.parent)}
    if not beside:
        return here
    copy = room / Path(path).parent
    if not copy.exists():
        shutil.copytree(here.parent, copy)
    for name, text in beside.items():
        (room / name).write_text(text, encoding="utf-8")
    return room / path


def _differences(path: Path, titles: list[str]) -> Iterator[tuple[str, str]]:
    """Play the scenarios of one file that have these titles; return those that differ."""
    from towpath.scenario_files import folder
    from transforms.flows.protocol.control_records import encode_line
    from transforms.hosting import sandbox
    from transforms.scenarios.grammar import read_stories
    from transforms.scenarios.player import Player, catalog_for, control_log_of

    beside, read = folder(path.parent), read_stories(path.name, path.read_text(encoding="utf-8"))
    stories: Any = read.value
    if stories is None or beside.project.errors:
        problems = [p.message for p in (*read.problems, *beside.project.problems)]
        raise ValueError("; ".join(problems))
    there = {story.title: story for story in stories.stories}
    for title in titles:
        story = there[title]
        log = control_log_of(stories, story, beside.project, beside.texts)
        catalog = catalog_for(tuple(map(encode_line, log)))
        player = Player(catalog, story.settings, sandbox.answer)
        says, now = list[str](), list[str]()
        for given in story.inputs:
            line, turn = stories.lines[given.line], player.play(given)
            says += [line, *_answer(stories.lines[given.line + 1 :])]
            now += [line, *(f"  {said}" for said in (turn.lines if turn else (NO_MESSAGE,)))]
        if says != now:
            diff = difflib.unified_diff(says, now, "says", "is", lineterm="", n=1)
            yield title, "\n".join(diff)


def _answer(lines: Sequence[str]) -> list[str]:
    """Return the outputs in a scenario: the indented lines."""
    return list(takewhile(lambda line: line[:1] == " " and line.strip(), lines))


def main() -> None:
    """Read the request from stdin, and write the result to stdout."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    sys.stdout.buffer.write(msgspec.json.encode(play(asked)))


if __name__ == "__main__":
    main()
