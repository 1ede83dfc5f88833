"""``towpath import``: unpack an archive of ``towpath export`` into a folder."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from towpath.cli import common
from towpath.portable import archive, unpacking
from towpath.portable.archive import MAX_CHARACTERS, Archive

EXAMPLE = "towpath import win_back.towpath --into my_flows"

MOST_BYTES = 4 * MAX_CHARACTERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", metavar="FILE", help="a file written by `towpath export`")
    parser.add_argument(
        "--into", metavar="FOLDER", required=True, help="a new folder, or one with flows"
    )
    parser.add_argument("--force", action="store_true", help="overwrite files that differ")
    parser.add_argument(
        "--json", action="store_true", help="print the written files as one JSON object"
    )


def run(args: argparse.Namespace) -> int:
    """Write the files; exit with 1 if the archive has problems or conflicts with the folder."""
    found = _read(Path(args.file))
    planned = unpacking.unpack(found.files, Path(args.into), args.force)
    if args.json:
        common.print_json({"flows": found.flows, "written": planned.written})
    common.say(f"{len(planned.write)} files written, {len(planned.same)} already up to date")
    common.next_command(f"towpath test {shlex.quote(args.into)}")
    return 0


def _read(path: Path) -> Archive:
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        message = f"{path}: larger than {MOST_BYTES // 1024**2} MiB; not a file written by `towpath export`"
        raise common.UserError(message, code=1)
    text = common.read_text(path)
    found = archive.read(path.as_posix(), text)
    common.show_problems(found.problems, {path.as_posix(): text})
    if found.value is None:
        raise common.UserError(f"{path} cannot be imported", code=1)
    return found.value
