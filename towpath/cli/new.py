"""``towpath new``: create a flow from a template."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from towpath.cli import common
from towpath.portable import flow_templates, unpacking
from towpath.portable.flow_templates import BLANK
from transforms.flows.diagnostics import suggest
from transforms.flows.reading.values import NAME

EXAMPLE = "towpath new --template welcome_drip --into my_flows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--template", metavar="NAME", help="the template; without this option, list all of them"
    )
    parser.add_argument(
        "--into", metavar="FOLDER", help="folder to write (default: named after the flow)"
    )
    parser.add_argument("--name", metavar="ID", help=f"flow id; only for the template {BLANK}")
    parser.add_argument("--force", action="store_true", help="overwrite files that differ")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object per template or flow"
    )


def run(args: argparse.Namespace) -> int:
    """Write the files of the template, or list the templates."""
    if args.template is None:
        _refuse_without_template(args)
        return _list(args.json)
    files = _files(args.template, args.name)
    into = Path(args.into or args.name or args.template)
    planned = unpacking.unpack(files, into, args.force)
    if args.json:
        common.print_json({"template": args.template, "written": planned.written})
    common.next_command(f"towpath test {shlex.quote(into.as_posix())}")
    return 0


def _refuse_without_template(args: argparse.Namespace) -> None:
    given = {"--name": args.name, "--into": args.into, "--force": args.force}
    for option, value in given.items():
        if value:
            raise common.UserError(
                f"{option} needs --template; without options, towpath new lists the templates"
            )


def _list(as_json: bool) -> int:
    names = flow_templates.names()
    width = max(map(len, names))
    for name in names:
        if as_json:
            common.print_json({"template": name, "about": flow_templates.about(name)})
        else:
            print(f"{name:<{width}}  {flow_templates.about(name)}")
    common.next_command(EXAMPLE)
    return 0


def _files(template: str, name: str | None) -> dict[str, str]:
    names = flow_templates.names()
    if template not in names:
        found = suggest(template, names) or "towpath new lists the templates"
        raise common.UserError(f'no template "{template}"; {found}')
    files = flow_templates.files(template)
    if name is None:
        return files
    if template != BLANK:
        raise common.UserError(
            f"--name works only with the template {BLANK}; other templates keep their ids"
        )
    if not NAME.fullmatch(name):
        raise common.UserError(f'"{name}" is not a valid id; use lower-case letters, digits and _')
    return flow_templates.renamed(files, name)
