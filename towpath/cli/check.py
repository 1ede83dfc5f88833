"""``towpath check``: report every problem in flows, spaces and templates, with its location."""

from __future__ import annotations

import argparse
import shlex
import sys

from towpath.cli import common
from towpath.cli.projects import load_projects, refuse_duplicate_ids
from transforms.flows.diagnostics import to_json

EXAMPLE = "towpath check flow_defs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="flow files, or folders of flows")
    parser.add_argument("--json", action="store_true", help="print one JSON object per problem")


def run(args: argparse.Namespace) -> int:
    """Check the flows; exit with 1 if there are errors. Warnings alone exit with 0."""
    projects = load_projects(args.paths)
    found = [(selected, problem) for selected in projects for problem in selected.problems()]
    for selected, problem in found:
        if args.json:
            print(to_json(problem))
        else:
            common.show_problems([problem], selected.project.files)
    refuse_duplicate_ids(projects)
    errors = sum(problem.severity == "error" for _, problem in found)
    flows = sum(len(selected.paths) for selected in projects)
    _summarize(flows, errors, len(found) - errors, args.paths)
    return 1 if errors else 0


def _summarize(flows: int, errors: int, warnings: int, paths: list[str]) -> None:
    parts = [_counted(flows, "flow"), _counted(errors, "problem")]
    if warnings:
        parts.append(_counted(warnings, "warning"))
    style = "red" if errors else "green"
    common.say(common.paint(", ".join(parts), style, sys.stderr))
    given = " ".join(shlex.quote(path) for path in paths)
    common.next_command(f"towpath {'check' if errors else 'test'} {given}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
