"""``towpath simulate``: play a timeline for one user and show what the flow does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from towpath.cli import common
from towpath.reports.profile_text import to_text
from towpath.scenario_files import folder
from transforms.flows.catalog.control_log import catalog_of
from transforms.flows.diagnostics import show
from transforms.flows.engine.profile.profile_view import profile_view_of
from transforms.flows.protocol import control_records
from transforms.flows.protocol.outputs import Communication, DeadLetter, Rejection, Transition
from transforms.flows.protocol.reason_codes import REASONS
from transforms.flows.reading.project import Project
from transforms.hosting import sandbox
from transforms.scenarios.grammar import read_stories
from transforms.scenarios.player import Player, Turn, Unplayable, control_log_of, nothing_sent
from transforms.scenarios.story import DEFAULT_USER, Input, ScenarioFile, Story

HELP = "play a timeline of one user and show what the flow does, and why"
EXAMPLE = (
    "echo '2026-03-01 09:00 event Purchase {amount: 250}' | towpath simulate flow_defs/vip.yaml"
)

NO_OUTPUT = {
    "nothing": "no trigger matches and no session waits for it; the user's profile and counts are updated",
    "nothing is due": "no wait, message or date is due by then",
    "nothing reads this event": "no flow or audience uses it, so it is ignored",
    "nothing, seen before": "duplicate: a signal with this id was already handled",
}

LINE_SYNTAX = """\
each line is a time (2026-03-01 09:00, or +2h after the line before) and what happens:
  event Cart Updated {value: 30}         profile {plan: "pro"} consent {email: false}
  audience vip entered                   communication remind opened
  enter cart {value: 30} key=c1          upload winter {name: "Kim"}
  command stop cart                      control drain cart
  answer credit {status: 200, score: 7}  answer credit failed {status: 500}
  identify anon:7 {name: "Kim"}          event Cart user=anon:7
  time            (only lets time pass)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{parser.epilog}\n\n{LINE_SYNTAX}"
    parser.add_argument("flow", metavar="FLOW", help="the flow file; its folder is the space")
    parser.add_argument("--timeline", metavar="FILE", help="file with the lines (default: stdin)")
    parser.add_argument("--user", default=DEFAULT_USER, help=f"user id (default: {DEFAULT_USER})")
    parser.add_argument("--json", action="store_true", help="print each output as one line of JSON")
    parser.add_argument(
        "--profile", action="store_true", help="print the user's profile at the end"
    )


def run(args: argparse.Namespace) -> int:
    """Play the lines one by one; exit with 1 if one could not be read or played."""
    path = Path(args.flow)
    common.read_text(path)
    folder_files = folder(path.parent)
    flow = path.stem
    if not _has_no_errors(folder_files.project, path):
        return 1
    if flow not in folder_files.project.paths:
        raise common.UserError(f"{path}: not a flow", code=1)
    reasons: set[str] = set()
    simulation = _Simulation(flow, args, folder_files.project, folder_files.texts)
    code = 0
    for line in _lines(args.timeline):
        code = max(code, _play_line(simulation, line, reasons, as_json=args.json))
    if args.profile:
        _show_profile(simulation, as_json=args.json)
    _explain_reasons(reasons)
    common.next_command(f"towpath test {path.parent}")
    return code


def _has_no_errors(project: Project, path: Path) -> bool:
    texts = project.files
    mine = [p for p in project.problems if p.severity == "error"]
    mine = [p for p in mine if p.path not in project.flow_files or Path(p.path) == path]
    for problem in mine:
        text = texts.get(problem.path, "")
        common.say(show(problem, text, common.colours(sys.stderr)))
    return not mine


def _lines(timeline: str | None) -> Iterator[str]:
    if timeline is not None:
        yield from common.read_text(Path(timeline)).split("\n")
        return
    if sys.stdin.isatty():
        common.say(LINE_SYNTAX)
    for line in sys.stdin:
        yield line.rstrip("\n")


class _Simulation:
    """The lines so far, and the user's state after them."""

    def __init__(
        self, flow: str, args: argparse.Namespace, project: Project, texts: dict[str, str]
    ) -> None:
        self.flow, self.user, self.project, self.texts = flow, args.user, project, texts
        self.name: str = args.timeline or "standard input"
        self.lines: list[str] = []
        self.records: tuple[control_records.ControlRecord, ...] = ()
        self.player: Player | None = None

    def take(self, line: str) -> tuple[Turn | None, str]:
        """Play one more line; return its turn, or a description of its problem.

        A line that cannot be played is kept as a blank line, so that line numbers stay correct.
        """
        if line[:1] in (" ", "\t"):
            self.lines.append("")
            return None, ""
        turn, wrong = self._take(line)
        self.lines.append("" if wrong else line)
        return turn, wrong

    def _take(self, line: str) -> tuple[Turn | None, str]:
        text = "\n".join([*self.lines, line])
        read = read_stories(self.name, text, self.user)
        if read.value is None:
            return None, "\n".join(show(problem, text) for problem in read.problems)
        stories = read.value.stories
        inputs = stories[-1].inputs if stories else ()
        if not inputs or inputs[-1].line != len(self.lines):
            return None, ""
        try:
            return self._play(read.value, stories[-1], inputs[-1]), ""
        except Unplayable as error:
            return None, show(error.problem, text)

    def _play(self, file: ScenarioFile, story: Story, given: Input) -> Turn:
        settings = msgspec.structs.replace(story.settings, flows=(self.flow,))
        story = msgspec.structs.replace(story, settings=settings)
        if self.player is None or len(story.inputs) == 1 or given.record is not None:
            catalog = catalog_of(control_log_of(file, story, self.project, self.texts))
            if self.player is None or len(story.inputs) == 1:
                self.player = Player(catalog, settings, sandbox.answer)
            self.player.catalog = catalog
        turn = self.player.play(given)
        if turn is None:
            raise nothing_sent(file, given)
        return turn


def _play_line(simulation: _Simulation, line: str, reasons: set[str], *, as_json: bool) -> int:
    turn, wrong = simulation.take(line)
    if wrong:
        common.say(wrong)
        return 1
    if line[:1] in (" ", "\t"):
        return 0
    if not as_json:
        common.show_text(line, flush=turn is None)
    if turn is not None:
        reasons.update({turn.lines[0]} & NO_OUTPUT.keys())
        for output in turn.outputs:
            if isinstance(output, (Rejection, DeadLetter, Communication, Transition)):
                reasons.update({output.reason} - {None})  # type: ignore[arg-type]
            if as_json:
                common.print_json(output)
        if not as_json:
            common.show_text("\n".join(f"  {output}" for output in turn.lines), flush=True)
    return 0


def _show_profile(simulation: _Simulation, *, as_json: bool) -> None:
    player = simulation.player
    if player is None:
        return
    found = profile_view_of(player.catalog, player.user, player.state)
    if as_json:
        common.print_json(found)
    else:
        common.show_text(to_text(found, player.zone))


def _explain_reasons(reasons: set[str]) -> None:
    meanings = REASONS | NO_OUTPUT
    for reason in sorted(reasons & meanings.keys()):
        common.say(f"{common.paint(reason, 'bold', sys.stderr)}: {meanings[reason]}")
