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
from transforms.flows.diagnostics import Problem, printable, show
from transforms.flows.reading.project import Project
from transforms.hosting import sandbox
from transforms.scenarios.grammar import lines_of, read_partly
from transforms.scenarios.player import files_of, play_partly
from transforms.scenarios.story import ScenarioFile

EXAMPLE = "towpath test flow_defs"


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The result for one file: its problems, and the diff against its transcripts.

    ``failed`` are the titles of the scenarios that differ or could not be run, with their lines.
    """

    path: str
    scenarios: int
    problems: tuple[Problem, ...] = ()
    diff: str = ""
    rewritten: bool = False
    failed: tuple[str, ...] = ()

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
    failed = [title for outcome in wrong for title in outcome.failed]
    for title in failed:
        common.say(common.paint(f"failed: {printable(title)}", "red", sys.stderr))
    common.say(
        f"{_plural(len(failed), 'scenario')} failed; "
        f"{_plural(len(wrong), 'file')} with differences or problems"
    )
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
            if path.is_file() and not found[0].exists():
                raise common.UserError(
                    f"{name} has no scenarios: write {found[0]}, then run towpath test --rewrite {name}"
                )
        for file in found:
            if file not in seen:
                seen.add(file)
                yield file


def _outcome(path: Path, rewrite: bool) -> Outcome:
    text, folder_files = common.read_text(path), folder(path.parent)
    project, name = folder_files.project, path.as_posix()
    file, problems = read_partly(name, text)
    played = play_partly(file, project, folder_files.texts, sandbox.answer)
    now = played.text if file.stories and not all(s.broken for s in file.stories) else text
    unplayed = {problem.line for problem in played.problems}
    problems = (*problems, *played.problems, *_problems_of(file, project))
    count, differs = len(file.stories), now != text
    if differs and not rewrite:
        failed = tuple(_failed(file, read_partly(name, now)[0], unplayed))
        return Outcome(name, count, problems, _diff(path, text, now), failed=failed)
    if differs:
        path.write_text(now, encoding="utf-8")
    failed = tuple(_failed(file, file, unplayed))
    return Outcome(name, count, problems, rewritten=differs, failed=failed)


def _problems_of(file: ScenarioFile, project: Project) -> Iterator[Problem]:
    """Yield the problems of what the scenarios play; those of other flows do not matter here."""
    stem = Path(file.path).name.removesuffix(ENDING)
    names = {name for story in file.stories for name in story.settings.flows or (stem,)}
    used = set().union(*(files_of(project, name) for name in names)) if names else set()
    return (problem for problem in project.problems if problem.path in used)


def _failed(file: ScenarioFile, after: ScenarioFile, unplayed: set[int]) -> Iterator[str]:
    """Yield the titles of the scenarios that differ from those after, or could not be run."""
    old, new = _parts(file), _parts(after)
    for number, story in enumerate(file.stories):
        differs = old[number : number + 1] != new[number : number + 1]
        stopped = any(line - 1 in lines_of(file, story) for line in unplayed)
        if story.broken or stopped or differs:
            yield f"{file.path}:{story.line + 1}: {story.title}"


def _parts(file: ScenarioFile) -> list[list[str]]:
    """Split a file into the lines of its scenarios."""
    return [[file.lines[n].rstrip() for n in lines_of(file, story)] for story in file.stories]


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
