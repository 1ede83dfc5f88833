"""Replays an upload of contacts to a campaign from a file."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from tests.replay.kit import towpath

FLOW = Path(__file__).parents[1] / "scenarios" / "campaigns" / "each_time.yaml"


def row(number: int, user: str, day: int, **fields: object) -> str:
    """Return one row of an upload as a record."""
    record = {
        "type": "enter",
        "messageId": f"list-{number}",
        "userId": user,
        "timestamp": f"2026-03-0{day}T09:00:00Z",
        "operation": "upload",
        "flow": "winter",
        "participant": fields,
    }
    return json.dumps(record)


def test_participants_are_a_table(tmp_path: Path) -> None:
    """R21: each record is one row of an upload; changes of participants are a table for queries."""
    first = row(1, "kim", 1, name="Kim", size=3)
    lines = [first, row(2, "ann", 1, name="Ann"), first, row(3, "kim", 5, size=4)]
    events, results = tmp_path / "list.jsonl", tmp_path / "out"
    events.write_text("\n".join(lines) + "\n")

    done = towpath("replay", FLOW, "--events", events, "--until", "2026-04-01", "--out", results)
    assert done.code == 0, done.err

    table = f"{results}/participant_update/**/*.parquet"
    found = duckdb.sql(
        f'select "user", what, status, fields, cause, step from \'{table}\' order by "user", "at", id'
    ).fetchall()
    whole = '{"name":"Kim","size":3}'
    assert found == [
        ("ann", "created", "new", '{"name":"Ann"}', "list-2", None),
        ("ann", "updated", "contacted", '{"name":"Ann"}', "list-2", "mark"),
        ("kim", "created", "new", whole, "list-1", None),
        ("kim", "updated", "contacted", whole, "list-1", "mark"),
        ("kim", "updated", "contacted", '{"name":"Kim","size":4}', "list-3", None),
    ]
    told = towpath("explain", "kim", "--out", results).out
    assert "participant of winter created" in told
