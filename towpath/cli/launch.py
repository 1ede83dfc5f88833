"""``towpath launch``: write one enter record for each user of a list (R22)."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from towpath.cli import common
from towpath.cli.projects import load_projects
from transforms.flows.clock.zones import find_zone, parse_instant
from transforms.flows.definitions.flow import Flow
from transforms.flows.definitions.triggers.audiences import LAUNCHED, OnAudience, OnPeople, OnTag
from transforms.flows.definitions.triggers.flows import OnEnter
from transforms.flows.protocol.signals import Data, Enter
from transforms.flows.state.ids import hashed
from transforms.wire.decode import decode_json
from transforms.wire.messages import to_envelope
from transforms.wire.raw import Bad

EXAMPLE = "towpath launch flow_defs/invited.yaml users.txt --launch spring_2026 > entries.jsonl"

LIST_FORMATS = """\
LIST has one user id per line; or it is a CSV file whose first column is named user; or it has
one JSON object per line with a field user. Other fields are available as entry.NAME in the flow.
Repeating a launch enters nobody twice: ids are hashes of launch, flow and user."""

USER = "user"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{parser.epilog}\n\n{LIST_FORMATS}"
    parser.add_argument("flow", metavar="FLOW", help="the flow file; its folder is the space")
    parser.add_argument("list", metavar="LIST", help="the users; - for stdin")
    parser.add_argument("--launch", required=True, metavar="NAME", help="name of the launch")
    parser.add_argument(
        "--at",
        metavar="TIME",
        help="time of the launch, in the time zone of the space (default: now)",
    )
    parser.add_argument("--out", metavar="FILE", help="file to write (default: stdout)")


def run(args: argparse.Namespace) -> int:
    """Write the records as JSON lines; exit with 1 if a line of the list is invalid."""
    selected = load_projects([args.flow])[0]
    problems = [p for p in selected.problems() if p.severity == "error"]
    common.show_problems(problems, selected.project.files)
    flow = next((f for f in selected.project.flows if f.id == Path(args.flow).stem), None)
    if problems or flow is None:
        return 1
    space, made, bad = selected.project.space, dict[str, bytes](), 0
    member_of, at = _audience(args.flow, flow), _instant(args.at, space.zone)
    for number, user, data in _users(args.list):
        entry = Enter(
            id=hashed("launch", space.name, flow.id, args.launch, user),
            user=user,
            time=at,
            flow=flow.id,
            data=data,
            launch=args.launch,
            member_of=member_of,
        )
        line = to_envelope(entry)
        found = decode_json(line, args.list, number)
        if isinstance(found, Bad):
            bad += 1
            common.say(f"{found.file}:{found.line}: {found.reason}, {found.detail}")
        else:
            made.setdefault(user, line)
    common.write_out("".join(f"{line.decode()}\n" for line in made.values()), args.out)
    common.say(f"{len(made):,} users in launch {args.launch} of {flow.id}")
    common.next_command("towpath validate-events FILE")
    return 1 if bad else 0


def _audience(path: str, flow: Flow) -> str | None:
    """Return the static audience whose members enter; raise UserError if no trigger takes launches."""
    for trigger in flow.enter:
        match trigger:
            case OnAudience(audience=audience, when=when) if when in LAUNCHED:
                return audience
            case OnTag(when=when) if when in LAUNCHED:
                return None
            case OnPeople() | OnEnter():
                return None
            case _:
                pass
    message = f"{path}: no trigger of this flow takes launches; add the trigger people: true"
    raise common.UserError(message, code=1)


def _instant(text: str | None, where: str) -> int:
    if text is None:
        return int(datetime.now(UTC).timestamp() * 1000)
    found = parse_instant(text, find_zone(where))
    if found is None:
        raise common.UserError(f'--at: "{text}" is not a time; write for example 2026-03-01T09:00')
    return found


def _users(name: str) -> Iterator[tuple[int, str, Data]]:
    """Yield the line number, user id and other fields of each user in the list."""
    text = (
        common.decoded(sys.stdin.buffer, "standard input")
        if name == "-"
        else common.read_text(Path(name))
    )
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("{"):
        yield from _objects(name, lines)
        return
    if first.split(",")[0].strip() != USER:
        yield from ((n, line.strip(), {}) for n, line in enumerate(lines, 1) if line.strip())
        return
    rows = csv.DictReader(lines, restval="")
    for row in rows:
        if None in row:
            raise common.UserError(f"{name}:{rows.line_num}: more values than columns", code=1)
        fields = {key.strip(): value.strip() for key, value in row.items()}
        yield (
            rows.line_num,
            fields.pop(USER),
            {key: value for key, value in fields.items() if value},
        )


def _objects(name: str, lines: list[str]) -> Iterator[tuple[int, str, Data]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            fields: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
        except (ValueError, RecursionError):
            raise common.UserError(f"{name}:{number}: not a JSON object", code=1) from None
        yield number, str(fields.pop(USER, "")), fields
