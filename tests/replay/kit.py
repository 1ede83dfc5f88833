"""Small inputs in every format, and the command that replays them."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

import schemas
from towpath.cli.main import main
from transforms.sinks.part_files import listed

HERE = Path(__file__).parent
WELCOME = str(HERE / "flows" / "welcome.yaml")
UNTIL = "2024-02-01"
DAY = 86_400_000
START = 1_704_067_200_000
"""2024-01-01 in UTC."""

MAP = """
user: who
time: {column: at, unit: ms}
event: what
properties: {amount: {column: amount, type: number}}
"""

BEAM = ("--", "--runner=DirectRunner")
"""Words that run a replay on Beam, in this process."""

Record = dict[str, Any]


class Done(NamedTuple):
    """The result of a command."""

    code: int
    out: str
    err: str


def towpath(*words: object) -> Done:
    """Run the command line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in words])
    return Done(code, out.getvalue(), err.getvalue())


def replay(out: Path, *events: Path, more: Iterable[object] = (), flow: str = WELCOME) -> Done:
    """Replay the welcome flow over files."""
    return towpath("replay", flow, "--events", *events, "--until", UNTIL, "--out", out, *more)


def track(number: int, user: str, event: str, at: int, **more: Any) -> Record:
    """Return a record of the envelope."""
    return {
        "type": "track",
        "messageId": f"m{number}",
        "userId": user,
        "timestamp": at,
        "event": event,
        "properties": {},
    } | more


def life(user: str, number: int, day: int = 0, buys: int | None = None) -> list[Record]:
    """Return a signup, and optionally a purchase some days later."""
    at = START + day * DAY
    found = [track(number, user, "Signup", at, properties={"plan": "free"})]
    if buys is not None:
        bought = {"properties": {"amount": 20.5}}
        found.append(track(number + 1, user, "Purchase", at + buys * DAY, **bought))
    return found


def write_lines(path: Path, records: Iterable[Record]) -> Path:
    """Write JSON lines, compressed if the name says so."""
    text = "".join(json.dumps(record) + "\n" for record in records)
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def write_csv(path: Path, rows: Iterable[tuple[str, int, str, str]]) -> Path:
    """Write rows without ids."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("who", "at", "what", "amount"), *rows])
    return path


def _flat(record: Record) -> Record:
    return record | {"properties": json.dumps(record["properties"])}


def write_avro(path: Path, records: Iterable[Record]) -> Path:
    """Write events in the project's own Avro schema."""
    with path.open("wb") as file:
        fastavro.writer(file, schemas.load("event"), [_flat(record) for record in records])
    return path


def write_parquet(path: Path, records: Iterable[Record]) -> Path:
    """Write events as a table."""
    pq.write_table(pa.Table.from_pylist([_flat(record) for record in records]), path)
    return path


def rows(out: Path, kind: str) -> list[Record]:
    """Read a table, in the order of its files."""
    return [row for path in listed(kind, out) for row in pq.ParquetFile(path).read().to_pylist()]


def contents(out: Path) -> dict[str, bytes]:
    """Read every result file except those that name files: the summary and the database of views.

    The name of the run is taken out of the pictures.
    """
    return {
        path.relative_to(out).as_posix(): _unnamed(path, out.name)
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in ("replay.json", "results.duckdb")
    }


def _unnamed(path: Path, run: str) -> bytes:
    data = path.read_bytes()
    return data.replace(f": {run}<".encode(), b"<") if path.suffix == ".svg" else data
