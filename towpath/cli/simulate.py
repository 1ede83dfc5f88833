"""``towpath simulate``: play a timeline for one user and show what the flow does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from towpath.cli import common
from towpath.reports.profile_text import to_text
from towpath.scenario_files import ENDING, folder
from transforms.flows.catalog.control_log import InvalidLog, catalog_of
from transforms.flows.diagnostics import Problem, printable, show
from transforms.flows.engine.profile.profile_view import profile_view_of
from transforms.flows.protocol import control_records
from transforms.flows.protocol.outputs import Communication, DeadLetter, Rejection, Transition
from transforms.flows.protocol.reason_codes import REASONS
from transforms.flows.protocol.signals import Time
from transforms.flows.reading.project import Project
from transforms.hosting import sandbox
from transforms.scenarios.grammar import read_stories
from transforms.scenarios.player import (
    Player,
    Turn,
    Unplayable,
    control_log_of,
    invalid_log,
    missing_flow,
    nothing_sent,
)
from transforms.scenarios.story import DEFAULT_USER, Input, ScenarioFile, Story
from transforms.scenarios.why_not import why_not

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
  time            (only lets time pass)
before the first of them, flows: cart, welcome names flows of the folder, and zone: Europe/Rome
the zone of the times (default: that of the space)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{parser.epilog}\n\n{LINE_SYNTAX}"
    parser.add_argument(
        "flow",
        metavar="FLOW",
        help="a flow file, whose folder is the space, or a folder: all its flows",
    )
    parser.add_argument("--timeline", metavar="FILE", help="file with the lines (default: stdin)")
    parser.add_argument("--user", default=DEFAULT_USER, help=f"user id (default: {DEFAULT_USER})")
    parser.add_argument("--json", action="store_true", help="print each output as one line of JSON")
    parser.add_argument(
        "--profile", action="store_true", help="print the user's profile at the end"
    )


def run(args: argparse.Namespace) -> int:
    """Play the lines one by one; exit with 1 if one could not be read or played."""
    path = Path(args.flow)
    place = path if path.is_dir() else path.parent
    if not path.is_dir():
        common.read_text(path)
    folder_files = folder(place)
    project = folder_files.project
    if not _has_no_errors(project, path):
        return 1
    flows = tuple(flow.id for flow in project.flows) if path.is_dir() else (path.stem,)
    if not flows:
        raise common.UserError(f'{path}: no flows (.yaml files with "flow:") in it')
    if not set(flows) <= set(project.paths):
        raise common.UserError(f"{path}: not a flow", code=1)
    reasons: set[str] = set()
    simulation = _Simulation(flows, args, project, folder_files.texts)
    if simulation.zone != "UTC":
        common.say(f"times are in {simulation.zone}, the zone of the space")
    code = 0
    lines = 0
    for line in _lines(args.timeline):
        lines += bool(line.strip())
        code = max(code, _play_line(simulation, line, reasons, as_json=args.json))
    if not lines:
        common.say("the timeline has no lines; towpath simulate --help describes them")
    if args.profile:
        _show_profile(simulation, as_json=args.json)
    _explain_reasons(reasons)
    common.next_command(f"towpath test {place}")
    return code


def _has_no_errors(project: Project, path: Path) -> bool:
    texts = project.files
    mine = [p for p in project.problems if p.severity == "error"]
    if not path.is_dir():
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
    """The lines so far, and the user's state after them.

    ``flows`` are those of stories that name none. Times are in the zone of the space, except in a
    scenario file, which is played as ``towpath test`` does.
    """

    def __init__(
        self,
        flows: tuple[str, ...],
        args: argparse.Namespace,
        project: Project,
        texts: dict[str, str],
    ) -> None:
        self.flows, self.user, self.project, self.texts = flows, args.user, project, texts
        self.name: str = args.timeline or "standard input"
        self.zone = "UTC" if self.name.endswith(ENDING) else project.space.zone
        self.lines: list[str] = []
        self.records: tuple[control_records.ControlRecord, ...] = ()
        self.player: Player | None = None
        self.in_table = False

    def take(self, line: str) -> tuple[Turn | None, str]:
        """Play one more line; return its turn, or a description of its problem.

        A line that cannot be played is kept as a blank line, so that line numbers stay correct.
        """
        self.in_table = self.in_table and not line.startswith("#")
        if self.in_table or line[:1] in (" ", "\t"):
            self.lines.append("")
            return None, ""
        turn, wrong = self._take(line)
        self.lines.append("" if wrong else line)
        return turn, wrong

    def _take(self, line: str) -> tuple[Turn | None, str]:
        self.in_table = line.startswith("table:")
        text = "\n".join([*self.lines, line])
        read = read_stories(self.name, text, self.user, self.zone)
        if read.value is None:
            return None, "\n".join(show(problem, text) for problem in read.problems)
        if line.startswith("flows:") and (wrong := self._missing(line, text)):
            return None, wrong
        stories = read.value.stories
        if self.in_table:
            number, width = len(self.lines) + 1, len(line.rstrip())
            message = "a table is played by towpath test"
            return None, show(Problem(self.name, number, 1, width, "scenario-log", message), text)
        inputs = stories[-1].inputs if stories else ()
        if not inputs or inputs[-1].line != len(self.lines):
            return None, ""
        try:
            return self._play(read.value, stories[-1], inputs[-1]), ""
        except Unplayable as error:
            return None, show(error.problem, text)

    def _missing(self, line: str, text: str) -> str:
        """Describe the flows of a header that cannot be played."""
        names = [name.strip() for name in line.removeprefix("flows:").split(",") if name.strip()]
        found = [missing for name in names if (missing := missing_flow(self.project, name))]
        number = len(self.lines) + 1
        problems = [
            Problem(self.name, number, 1, len(line.rstrip()), "unknown-flow", message, known)
            for message, known in found
        ]
        return "\n".join(show(problem, text) for problem in problems)

    def _play(self, file: ScenarioFile, story: Story, given: Input) -> Turn:
        named = story.settings.flows
        settings = msgspec.structs.replace(
            story.settings, flows=self.flows if named is None else named
        )
        story = msgspec.structs.replace(story, settings=settings)
        if self.player is None or len(story.inputs) == 1 or given.record is not None:
            try:
                catalog = catalog_of(control_log_of(file, story, self.project, self.texts))
            except InvalidLog as error:
                raise invalid_log(file, given.line, error) from None
            if self.player is None or len(story.inputs) == 1:
                self.player = Player(catalog, settings, sandbox.answer)
            self.player.catalog = catalog
        turn = self.player.play(given)
        if turn is None:
            raise nothing_sent(file, given, self.player.sent)
        return turn

    def why(self, turn: Turn) -> list[str]:
        """Explain why the input of a turn started no session."""
        player, signal = self.player, turn.signals[0]
        if player is None or isinstance(signal, Time):
            return []
        state = player.state_of(signal.user)
        return why_not(player.catalog, signal, state, turn.outputs, player.zone)


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
        reasons.update(set(turn.lines[:1]) & NO_OUTPUT.keys())
        for output in turn.outputs:
            if isinstance(output, (Rejection, DeadLetter, Communication, Transition)):
                reasons.update({output.reason} - {None})  # type: ignore[arg-type]
            if as_json:
                common.print_json(output)
        if not as_json:
            common.show_text("\n".join(f"  {output}" for output in turn.lines), flush=True)
        for text in simulation.why(turn):
            common.say(printable(f"  why: {text}"))
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
