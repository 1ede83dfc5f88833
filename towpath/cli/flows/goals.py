"""``towpath flows goals``: set what counts as success of a flow."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from towpath.cli import common
from towpath.cli.flows.change import add_change, change

if TYPE_CHECKING:
    from towpath.control.proposals import Proposal
    from towpath.control.situation import Situation

EXAMPLE = "towpath flows goals win_back flow_defs/win_back.yaml"

SECTION = re.compile(r"^goals[ \t]*:.*?(?=^[^\s#]|\Z)", re.MULTILINE | re.DOTALL)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("flow", metavar="FLOW", help="the id of the flow")
    parser.add_argument(
        "file", metavar="FILE", help="a flow file, whose section goals is taken, or that section "
        "in a file of its own; - for stdin"
    )  # fmt: skip
    add_change(parser)


def run(args: argparse.Namespace) -> int:
    """Set the goals; problems are shown with their places in the file."""
    name = args.file
    text = (
        common.decoded(sys.stdin.buffer, "standard input")
        if name == "-"
        else common.read_text(Path(name))
    )
    return change(args, lambda situation: _propose(situation, args.flow, name, text))


def _propose(situation: Situation, flow: str, path: str, text: str) -> Proposal:
    from towpath.control.proposals import change_goals
    from towpath.control.situation import Refused
    from transforms.flows.reading.flow import load_goals
    from transforms.flows.reading.project import is_flow

    section, line = text, 0
    if is_flow(text):
        found = SECTION.search(text)
        if found is None:
            raise Refused(f"{path} has no section goals")
        section, line = found[0], text.count("\n", 0, found.start())
    plan = situation.flow(flow).plan
    # Empty lines in front keep the places of problems.
    loaded = load_goals(path, "\n" * line + section, situation.epoch.space, plan.campaign)
    common.show_problems(loaded.problems, {path: text})
    if loaded.value is None or any(p.severity == "error" for p in loaded.problems):
        raise Refused(f"the goals of {flow} have problems")
    return change_goals(situation, flow, section, loaded.value)
