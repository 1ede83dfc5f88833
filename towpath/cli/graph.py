"""``towpath graph``: draw a flow, or print it as data."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from towpath.cli import common
from towpath.cli.projects import load_projects
from transforms.authoring.graph import Graph, graph_of
from transforms.authoring.graph_mermaid import to_mermaid
from transforms.authoring.graph_svg import to_svg
from transforms.flows.definitions.flow import Flow

EXAMPLE = "towpath graph flow_defs/win_back.yaml --out win_back.svg"


def _to_json(graph: Graph) -> str:
    return msgspec.json.format(msgspec.json.encode(graph), indent=2).decode() + "\n"


FORMATS = {"mermaid": to_mermaid, "svg": to_svg, "json": _to_json}
_ENDINGS = {
    ".svg": "svg",
    ".json": "json",
    ".md": "mermaid",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".txt": "mermaid",
    "": "mermaid",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("flow", metavar="FLOW", help="the flow file")
    parser.add_argument(
        "--format",
        choices=list(FORMATS),
        help="output format (default: by the extension of --out, else mermaid)",
    )
    parser.add_argument("--out", metavar="FILE", help="file to write (default: stdout)")


def run(args: argparse.Namespace) -> int:
    """Draw the flow."""
    ending = Path(args.out).suffix.lower() if args.out else ""
    if args.format is None and ending not in _ENDINGS:
        known = ", ".join(filter(None, _ENDINGS))
        raise common.UserError(f'--out: unknown extension "{ending}"; use one of {known}')
    graph = graph_of(_flow(args.flow))
    common.write_out(FORMATS[args.format or _ENDINGS[ending]](graph), args.out)
    if args.out and args.out != "-":
        common.say(f"wrote {args.out}")
    common.next_command(f"towpath simulate {args.flow}")
    return 0


def _flow(path: str) -> Flow:
    selected = [found for found in load_projects([path]) if found.paths]
    paths = [p for found in selected for p in found.paths]
    if len(paths) != 1:
        names = ", ".join(paths) or "none"
        raise common.UserError(f"{path}: give the file of one flow; found {names}")
    project = selected[0].project
    for flow in project.flows:
        if project.paths[flow.id] == paths[0]:
            return flow
    errors = [p for p in selected[0].problems() if p.severity == "error"]
    common.show_problems(errors, project.files)
    raise common.UserError(f"{paths[0]} has problems and cannot be drawn", code=1)
