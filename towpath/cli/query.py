"""``towpath query``: answer a question in SQL from the results of a replay."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
import textwrap
from base64 import b64encode
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import msgspec

import schemas
from pipelines.replay.results import Account
from towpath.cli import common
from towpath.cli.results import damaged, finished_account
from towpath.reports.views import (
    DATABASE,
    EXAMPLES,
    View,
    open_views,
    views_of,
    write_database,
)

EXAMPLE = 'towpath query build/run "select flow, count(*) from message group by all"'
WIDTH = 96
NUMBERS = (int, float, Decimal)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("out", metavar="DIR", help="the results folder of a replay")
    add("sql", metavar="SQL", nargs="?",
        help="a query over the views; - reads it from stdin (default: list the views)")  # fmt: skip
    add("--json", action="store_true", help="print one JSON object per row")
    add(
        "--refresh",
        action="store_true",
        help=f"write {DATABASE} again, after the folder was moved",
    )


def run(args: argparse.Namespace) -> int:
    """Print the rows of the query, or the list of views."""
    out = Path(args.out)
    account = finished_account(out)
    if account.kinds is not None:
        common.say(f"this replay wrote only {', '.join(account.kinds)}; other tables are empty")
    if args.refresh:
        write_database(out)
        common.say(f"wrote {out / DATABASE}")
        if args.sql is None:
            return 0
    if args.sql is None:
        _list(account, out, args.json)
        return 0
    sql = common.decoded(sys.stdin.buffer, "stdin") if args.sql == "-" else args.sql
    names, rows = _answer(out, sql)
    if args.json:
        names = _numbered(names)
        for row in rows:
            common.print_json({n: _plain(v) for n, v in zip(names, row, strict=True)})
    elif names:
        common.show_text("\n".join(_aligned(names, rows)))
        common.say(f"{len(rows):,} row" if len(rows) == 1 else f"{len(rows):,} rows")
    return 0


def _answer(out: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    try:
        database = open_views(out)
    except (duckdb.Error, msgspec.MsgspecError) as error:
        raise damaged(out, error) from None
    with database:
        try:
            done = database.execute(sql)
            if done is None:
                raise common.UserError(f"the query is empty\n{_hint(out)}")
            names = [column[0] for column in done.description or ()]
            return names, done.fetchall() if names else []
        except duckdb.Error as error:
            raise common.UserError(f"{error}\n{_hint(out)}") from None


def _hint(out: Path) -> str:
    return f"towpath query {shlex.quote(str(out))} lists the views and their columns"


def _numbered(names: list[str]) -> list[str]:
    """Return the names of columns with numbers on equal ones: each is a key of its own in JSON."""
    found: list[str] = []
    for name in names:
        number = 1
        while (key := name if number == 1 else f"{name}_{number}") in found:
            number += 1
        found.append(key)
    return found


# --- rows as text and JSON ---------------------------------------------------------------------


def _aligned(names: list[str], rows: list[tuple[Any, ...]]) -> list[str]:
    """Align the columns, numbers to the right."""
    columns = [[name, *(_cell(row[i]) for row in rows)] for i, name in enumerate(names)]
    widths = [max(map(len, column)) for column in columns]
    right = [any(_is_number(row[i]) for row in rows) for i in range(len(names))]
    lines = []
    for cells in zip(*columns, strict=True):
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return lines


def _is_number(value: object) -> bool:
    return isinstance(value, NUMBERS) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat(" ", "milliseconds").removesuffix(".000")
        case bytes():
            return f"{len(value)} bytes"
        case _:
            return " ".join(str(value).split("\n"))


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat("T", "milliseconds") + ("Z" if value.tzinfo is None else "")
        case date():
            return value.isoformat()
        case Decimal():
            return float(value)
        case float() if not math.isfinite(value):
            return None
        case bytes():
            return b64encode(value).decode()
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


# --- the list of views -------------------------------------------------------------------------


def _list(account: Account, out: Path, as_json: bool) -> None:
    if as_json:
        for view in views_of(out):
            common.print_json({"view": view.view, "about": view.about, "columns": view.columns})
        return
    views = views_of(out)
    empty = [v.view for v in views if v.view in schemas.OUTPUTS and not account.rows.get(v.view)]
    lines = [line for v in views if v.view not in empty for line in _described(v, account.rows)]
    if empty:
        note = f'No rows in this run: {", ".join(empty)}. "describe {empty[0]}" lists columns.'
        lines += ["", *textwrap.wrap(note, WIDTH)]
    lines += ["", "Examples:"]
    for question, sql in EXAMPLES:
        lines += ["", f"  {question}", f'  towpath query {shlex.quote(str(out))} "{sql}"']
    common.show_text("\n".join(lines))


def _described(view: View, rows: dict[str, int]) -> list[str]:
    count = f"{rows[view.view]:,} rows. " if view.view in schemas.OUTPUTS else ""
    found = [common.paint(view.view, "bold", sys.stdout)]
    for text in (count + view.about, ", ".join(view.columns)):
        found += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
    return found
