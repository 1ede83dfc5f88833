"""``towpath export``: write flows and the files that they need as one archive."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from towpath.cli import common
from towpath.cli.projects import load_projects
from towpath.portable import archive
from towpath.portable.packing import pack

EXAMPLE = "towpath export flow_defs/win_back.yaml --out win_back.towpath"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "paths", nargs="+", metavar="FLOW", help="flows of one folder, or the folder"
    )
    parser.add_argument("--out", metavar="FILE", help="file to write (default: stdout)")
    parser.add_argument("--force", action="store_true", help="overwrite the file")


def run(args: argparse.Namespace) -> int:
    """Write the archive; exit with 1 if the flows have errors."""
    place, flows = _chosen(args.paths)
    packed = pack(place, flows)
    text = archive.write(packed)
    if args.out not in (None, "-"):
        _check_overwrite(Path(args.out), text, args.force)
    common.write_out(text, args.out)
    for ident in packed.flows[len(flows) :]:
        common.say(f"also exported {ident}: the scenarios use it")
    count = "1 flow" if len(packed.flows) == 1 else f"{len(packed.flows)} flows"
    common.say(f"{count}, {len(packed.files)} files: {', '.join(packed.flows)}")
    if args.out not in (None, "-"):
        common.next_command(f"towpath import {shlex.quote(args.out)} --into FOLDER")
    return 0


def _chosen(paths: list[str]) -> tuple[Path, list[str]]:
    """Return the folder and the ids of the flows; raise ``UserError`` if they have errors."""
    projects = load_projects(paths)
    if len(projects) > 1:
        raise common.UserError("the flows are in several folders; export each folder separately")
    (selected,) = projects
    errors = [problem for problem in selected.problems() if problem.severity == "error"]
    common.show_problems(errors, selected.project.files)
    if errors:
        raise common.UserError("the flows have problems", code=1)
    if not selected.paths:
        raise common.UserError(f"no flows in {' '.join(paths)}")
    return Path(selected.paths[0]).parent, [Path(path).stem for path in selected.paths]


def _check_overwrite(path: Path, text: str, force: bool) -> None:
    if path.is_dir():
        raise common.UserError(f"{path} is a folder")
    if path.exists() and not force and common.read_text(path) != text:
        raise common.UserError(f"{path} exists; use --force to overwrite it", code=1)
