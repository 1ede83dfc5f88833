"""``towpath schema``: print the JSON Schema of a file or the Avro schema of a record."""

from __future__ import annotations

import argparse
import json

import schemas
from towpath.cli import common
from transforms.authoring.json_schema import SCHEMAS

EXAMPLE = "towpath schema flow > flow.schema.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "kind",
        nargs="?",
        default="flow",
        choices=list(SCHEMAS),
        help="the kind of file (default: flow)",
    )
    parser.add_argument(
        "--record",
        choices=schemas.NAMES,
        metavar="NAME",
        help="print the Avro schema of this record, for example transition",
    )


def run(args: argparse.Namespace) -> int:
    """Print the schema as indented JSON."""
    made = schemas.parsed(args.record) if args.record else SCHEMAS[args.kind]()
    shown = {key: value for key, value in made.items() if not key.startswith("__")}
    print(json.dumps(shown, indent=2, ensure_ascii=False))
    if args.record is None:
        common.next_command(
            f"in an editor with YAML support, start the file with "
            f"# yaml-language-server: $schema={args.kind}.schema.json"
        )
    return 0
