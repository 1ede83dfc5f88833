"""``towpath import``: unpack a file of ``towpath export`` into a folder of flows."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from towpath.cli import common
from towpath.portable import archive, unpacking
from towpath.portable.archive import MAX_CHARACTERS, Archive

HELP = "unpack a file of `towpath export` into a folder; overwrites nothing unasked"
EXAMPLE = "towpath import win_back.towpath --into my_flows"

MOST_BYTES = 4 * MAX_CHARACTERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", metavar="FILE", help="a file that `towpath export` wrote")
    parser.add_argument("--into", metavar="FOLDER", required=True, help="a folder of flows, or new")
    parser.add_argument("--force", action="store_true", help="overwrite files that differ")
    parser.add_argument("--json", action="store_true", help="one JSON object: what was written")


def run(args: argparse.Namespace) -> int:
    """Write the files; 1 if the file has problems or does not fit the folder."""
    found = _read(Path(args.file))
    planned = unpacking.put_in(found.files, Path(args.into), args.force)
    if args.json:
        common.print_json({"flows": found.flows, "written": planned.written})
    common.say(f"{len(planned.write)} files written, {len(planned.same)} were there already")
    common.next_command(f"towpath test {shlex.quote(args.into)}")
    return 0


def _read(path: Path) -> Archive:
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        said = (
            f"{path}: larger than {MOST_BYTES // 1024**2} MiB; this is no file of `towpath export`"
        )
        raise common.UserError(said, code=1)
    text = common.read_text(path)
    found = archive.read(path.as_posix(), text)
    common.show_problems(found.problems, {path.as_posix(): text})
    if found.value is None:
        raise common.UserError(f"{path} cannot be imported", code=1)
    return found.value
