"""``towpath export``: flows with all that belongs to them, as one file."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from towpath.cli import common
from towpath.portable import archive
from towpath.portable.packing import pack

HELP = "write flows with templates, scenarios and their part of the space as one file"
EXAMPLE = "towpath export flow_defs/win_back.yaml --out win_back.towpath"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("paths", nargs="+", metavar="FLOW", help="flows of one folder, or it")
    parser.add_argument("--out", metavar="FILE", help="the file; without it, standard output")
    parser.add_argument("--force", action="store_true", help="overwrite the file")


def run(args: argparse.Namespace) -> int:
    """Write the file; 1 if the flows have errors."""
    place, flows = _chosen(args.paths)
    packed = pack(place, flows)
    text = archive.write(packed)
    if args.out not in (None, "-"):
        _free(Path(args.out), text, args.force)
    common.write_out(text, args.out)
    for ident in packed.flows[len(flows) :]:
        common.say(f"{ident} comes along: scenarios play it too")
    count = "1 flow" if len(packed.flows) == 1 else f"{len(packed.flows)} flows"
    common.say(f"{count}, {len(packed.files)} files: {', '.join(packed.flows)}")
    if args.out not in (None, "-"):
        common.next_command(f"towpath import {shlex.quote(args.out)} --into FOLDER")
    return 0


def _chosen(paths: list[str]) -> tuple[Path, list[str]]:
    """Find the folder and the ids of the flows; raise ``UserError`` where they have errors."""
    projects = common.load_projects(paths)
    if len(projects) > 1:
        raise common.UserError("the flows are in several folders; export each folder by itself")
    (selected,) = projects
    errors = [problem for problem in selected.problems() if problem.severity == "error"]
    common.show_problems(errors, selected.project.files)
    if errors:
        raise common.UserError("the flows have problems", code=1)
    if not selected.paths:
        raise common.UserError(f"no flows in {' '.join(paths)}")
    return Path(selected.paths[0]).parent, [Path(path).stem for path in selected.paths]


def _free(path: Path, text: str, force: bool) -> None:
    if path.is_dir():
        raise common.UserError(f"{path}: is a folder")
    if path.exists() and not force and common.read_text(path) != text:
        raise common.UserError(f"{path} would be overwritten; --force does so", code=1)
