"""``towpath fmt``: format flows; comments are kept."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

import msgspec

from towpath.cli import common
from towpath.cli.projects import Selected, load_projects
from transforms.authoring.format import format_flow

EXAMPLE = "towpath fmt flow_defs --check"


class Outcome(msgspec.Struct, frozen=True):
    """The result for one file; ``unreadable`` means that it has errors."""

    path: str
    state: str
    old: str
    new: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="flow files, or folders of flows")
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; print a diff and exit with 1 if a file would change",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per file")


def run(args: argparse.Namespace) -> int:
    """Format the flows in place, or print what would change."""
    outcomes = [o for selected in load_projects(args.paths) for o in _outcomes(selected)]
    for outcome in outcomes:
        if outcome.state == "changed" and not args.check:
            Path(outcome.path).write_text(outcome.new, encoding="utf-8", newline="\n")
        if args.json:
            common.print_json({"path": outcome.path, "state": outcome.state})
        elif outcome.state == "changed":
            _print_change(outcome, args.check)
    return _summarize([outcome.state for outcome in outcomes], args.check)


def _outcomes(selected: Selected) -> list[Outcome]:
    project = selected.project
    flows = {project.paths[flow.id]: flow for flow in project.flows}
    outcomes = []
    for path in selected.paths:
        old = project.files[path]
        if path in flows:
            new = format_flow(old, flows[path])
            outcomes.append(Outcome(path, "same" if new == old else "changed", old, new))
        else:
            found = [p for p in project.problems if p.path == path and p.severity == "error"]
            common.show_problems(found, project.files)
            outcomes.append(Outcome(path, "unreadable", old, old))
    return outcomes


def _print_change(outcome: Outcome, check: bool) -> None:
    if not check:
        common.say(f"formatted {outcome.path}")
        return
    old, new = outcome.old.splitlines(keepends=True), outcome.new.splitlines(keepends=True)
    for line in difflib.unified_diff(old, new, outcome.path, f"{outcome.path} (formatted)"):
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[0])
        text = line.rstrip("\n")
        common.show_text(common.paint(text, style, sys.stdout) if style else text)


def _summarize(states: list[str], check: bool) -> int:
    changed, unreadable = states.count("changed"), states.count("unreadable")
    if unreadable:
        common.say(f"{_flows(unreadable)} with problems not formatted")
    if check and changed:
        common.say(f"{_flows(changed)} would change")
        common.next_command("towpath fmt PATH")
        return 1
    if not changed and not unreadable:
        common.say(f"{_flows(len(states))} already formatted")
    if not unreadable:
        common.next_command("towpath check PATH")
    return 1 if unreadable else 0


def _flows(count: int) -> str:
    return f"{count} flow" if count == 1 else f"{count} flows"
