"""``towpath flows publish``: publish new versions of flows, after a preview of what changes."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from towpath.cli import common
from towpath.cli.flows.change import add_change, change

if TYPE_CHECKING:
    from towpath.cli.projects import Selected
    from towpath.control.proposals import Proposal
    from towpath.control.situation import Situation

EXAMPLE = "towpath flows publish flow_defs/win_back.yaml --migrate --successor old_offer=offer"

MORE = """\
Flows whose text and templates are in the log already are left out. The settings and audiences of
the space are published with the first flows, and later with --space only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = f"{MORE}\n\n{parser.epilog}"
    add = parser.add_argument
    add("paths", metavar="PATH", nargs="+", help="flow files, or folders with flows, of one space")
    add("--space", action="store_true", help="also publish space.yaml, if it differs from the log")
    add("--migrate", action="store_true", help="move running sessions to the new version")
    add(
        "--successor",
        metavar="OLD=NEW",
        action="append",
        default=[],
        help="with --migrate of one flow: sessions at a step that is gone, or does something else, "
        "go on at another one; otherwise they end. May be repeated",
    )
    add_change(parser, ends=True)


def run(args: argparse.Namespace) -> int:
    """Publish the flows; every problem in them is shown with its place."""
    from towpath.cli.projects import load_projects

    pairs = [word.partition("=") for word in args.successor]
    if any(not (old and mark and new) for old, mark, new in pairs):
        raise common.UserError("--successor: write OLD=NEW, two names of steps")
    if pairs and not args.migrate:
        raise common.UserError("--successor says where sessions move: it needs --migrate")
    selected = load_projects(args.paths)
    if len(selected) > 1:
        raise common.UserError("these flows are in several folders: publish one space at a time")
    if pairs and len(selected[0].paths) > 1:
        raise common.UserError("--successor names steps of one flow: publish it alone")
    successors = {old: new for old, _, new in pairs}
    return change(
        args,
        lambda situation: _propose(situation, args, selected[0], successors),
        selected[0].project.space.zone,
    )


def _propose(
    situation: Situation, args: argparse.Namespace, selected: Selected, successors: dict[str, str]
) -> Proposal:
    from towpath.control.publishing import publish
    from towpath.control.situation import Refused

    first = _space_in(situation) is None
    chosen = selected if args.space or first else _with_space_of(situation, selected)
    problems = list(chosen.problems())
    common.show_problems(problems, chosen.project.files)
    errors = sum(1 for problem in problems if problem.severity == "error")
    if errors:
        raise Refused(f"{errors} problem" + ("" if errors == 1 else "s") + ": nothing was written")
    flows = [name for name, path in chosen.project.paths.items() if path in chosen.paths]
    proposal, _ = publish(
        situation,
        chosen.project,
        sorted(flows),
        space=args.space or first,
        migrate=args.migrate,
        successors=successors,
    )
    return proposal


def _space_in(situation: Situation) -> str | None:
    from towpath.control.publishing import space_in

    return space_in(situation.records, situation.at)


def _with_space_of(situation: Situation, selected: Selected) -> Selected:
    """Return the flows as they are in the space that the log has, and warn if the file's differs."""
    from towpath.cli.projects import Selected
    from transforms.flows.reading.project import SPACE, load_project
    from transforms.hosting import sandbox

    text, project = _space_in(situation), selected.project
    path = next((p for p in project.files if p.replace("\\", "/").split("/")[-1] == SPACE), SPACE)
    if project.files.get(path) == text or text is None:
        return selected
    if path in project.files:
        note = common.paint("note: ", "yellow", sys.stderr)
        common.say(
            f"{note}{path} differs from the space in the log; add --space to publish it, too"
        )
    files = {**project.files, path: text}
    return Selected(load_project(files, sandbox.check_source), selected.paths)
