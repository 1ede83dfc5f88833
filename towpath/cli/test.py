"""``towpath test``: run the scenarios next to the flows and compare the transcripts."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from towpath.cli import common
from towpath.scenario_files import ENDING, folder
from transforms.flows.diagnostics import Problem, show
from transforms.hosting import sandbox
from transforms.scenarios.grammar import read_stories
from transforms.scenarios.player import Unplayable, play_file

HELP = "run the scenarios next to the flows and compare the transcripts"
EXAMPLE = "towpath test flow_defs"


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The result for one file: its problems, or the diff against its transcript."""

    path: str
    scenarios: int
    problems: tuple[Problem, ...] = ()
    diff: str = ""
    rewritten: bool = False

    @property
    def fine(self) -> bool:
        return not self.diff and all(p.severity == "warning" for p in self.problems)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="scenario files, flow files or folders"
    )
    parser.add_argument(
        "--rewrite",
        action="store_true",
        help="replace the transcripts by what the flows do now; review the diff",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per file")


def run(args: argparse.Namespace) -> int:
    """Run every file; exit with 1 if one differs or cannot be run."""
    outcomes = [_outcome(path, args.rewrite) for path in _files(args.paths)]
    if not outcomes:
        common.say(f"no {ENDING} files in {' '.join(args.paths)}")
        return 2
    for outcome in outcomes:
        if args.json:
            common.print_json(outcome)
        else:
            _show(outcome)
    scenarios = sum(outcome.scenarios for outcome in outcomes)
    wrong = [outcome for outcome in outcomes if not outcome.fine]
    common.say(f"{_plural(scenarios, 'scenario')} in {_plural(len(outcomes), 'file')}")
    if not wrong:
        common.next_command("towpath simulate FLOW")
        return 0
    common.say(f"{_plural(len(wrong), 'file')} with differences or problems")
    if any(outcome.diff for outcome in wrong):
        common.next_command(f"towpath test --rewrite {' '.join(args.paths)}")
    return 1


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _files(paths: list[str]) -> Iterator[Path]:
    seen: set[Path] = set()
    for name in paths:
        path = Path(name)
        if path.is_dir():
            found = sorted(path.rglob(f"*{ENDING}"))
        elif path.name.endswith(ENDING):
            found = [path]
        else:
            found = [path.with_name(path.stem + ENDING)]
        for file in found:
            if file not in seen:
                seen.add(file)
                yield file


def _outcome(path: Path, rewrite: bool) -> Outcome:
    text, folder_files = common.read_text(path), folder(path.parent)
    read = read_stories(path.as_posix(), text)
    count = len(read.value.stories) if read.value else 0
    problems = (*read.problems, *folder_files.project.problems)
    if read.value is None or folder_files.project.errors:
        return Outcome(path.as_posix(), count, problems)
    try:
        now = play_file(read.value, folder_files.project, folder_files.texts, sandbox.answer)
    except Unplayable as error:
        return Outcome(path.as_posix(), count, (*problems, error.problem))
    if now == text:
        return Outcome(path.as_posix(), count, problems)
    if rewrite:
        path.write_text(now, encoding="utf-8")
        return Outcome(path.as_posix(), count, problems, rewritten=True)
    return Outcome(path.as_posix(), count, problems, _diff(path, text, now))


def _diff(path: Path, before: str, now: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(), now.splitlines(), f"{path} (expected)", f"{path} (actual)", lineterm=""
    )
    return "\n".join(lines) + "\n"


def _show(outcome: Outcome) -> None:
    for problem in outcome.problems:
        common.say(show(problem, _text_of(problem), common.colours(sys.stderr)))
    for line in outcome.diff.splitlines():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        common.show_text(common.paint(line, style, sys.stdout) if style else line)
    if outcome.rewritten:
        common.say(f"{outcome.path}: rewritten")


def _text_of(problem: Problem) -> str:
    path = Path(problem.path)
    return common.read_text(path) if path.is_file() else ""
