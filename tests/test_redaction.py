"""Redaction of erased users in tables: sums stay, personal data goes (R32)."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

import schemas
from transforms.flows.protocol.outputs import (
    AnyOutput,
    Erased,
    FlowState,
    ForwardedOut,
    HandoverOut,
    Message,
    Transition,
)
from transforms.sinks.redaction import IDENTIFYING, identifying, redacted
from transforms.wire.arrow import arrow_schema
from transforms.wire.rows import fields, name_of, to_row


def message(number: int, user: str, at: int) -> Message:
    """Return a message to a user."""
    return Message(
        f"m{number}", user, at, "cart", 1, "s", "remind", f"m{number}", "email",
        f"{user}@example.com", "note", "v1", {"user": {"name": user}},
    )  # fmt: skip


def moved(number: int, user: str, at: int) -> Transition:
    """Return a row of a session with a key."""
    return Transition(
        f"t{number}", user, at, "cart", 1, "s", "remind", "reached", f"key of {user}", 1, "c"
    )


HARMLESS = {"promotions", "tracking", "store"}
"""Maps without personal data: names of steps, and texts of the flow's file."""

PLAIN = {"string", "time", "long", "double", "boolean", "strings"}

GONE = [Erased(id="x", user="kim", at=20, sequence=3, until=99)]


def read(rows: list[AnyOutput], columns: str) -> list[tuple]:
    """Read a table through the query."""
    kind = name_of(rows[0])
    with duckdb.connect() as db:
        for name, found in ((kind, rows), ("erased", GONE)):
            db.register(name, pa.Table.from_pylist(list(map(to_row, found)), arrow_schema(name)))
        return db.sql(
            f"select {columns} from ({redacted(kind, kind, 'erased')}) order by id"
        ).fetchall()


def test_rows_of_an_erased_user_are_redacted() -> None:
    """Rows until the erasure lose user, address and data, and still count; later ones stay."""
    rows = [
        message(1, "kim", 10),
        message(2, "kim", 20),
        message(3, "kim", 21),
        message(4, "lee", 10),
    ]

    assert read(rows, '"user", address, data is null, flow') == [
        (None, None, True, "cart"),
        (None, None, True, "cart"),
        ("kim", "kim@example.com", False, "cart"),
        ("lee", "lee@example.com", False, "cart"),
    ]
    assert read([moved(1, "kim", 5)], '"user", key, step') == [(None, None, "remind")]
    over = HandoverOut(id="h", user="kim", at=5, to="kim@example.com", state=b"kim")
    assert read([over], '"user", "to", state, bypass') == [(None, None, None, False)]
    on = ForwardedOut(id="f", user="kim", at=5, to="lee", handover="h", signal=b"kim")
    assert read([on], '"user", "to", signal, handover') == [(None, None, None, "h")]
    stands = FlowState("s", "kim", 5, 1, [{"flow": "cart", "key": "key of kim"}], {})
    assert read([stands], '"user", flows, sequence') == [(None, None, 1)]


@pytest.mark.parametrize("kind", schemas.OUTPUTS)
def test_every_table_lists_identifying_columns(kind: str) -> None:
    """Every table redacts its user, other keys, and all free text, maps and bytes (R32)."""
    free = {field.name for field in fields(kind) if field.kind not in PLAIN}
    free |= {"user", "to", "key"} & {field.name for field in fields(kind)}

    assert "user" in free
    assert free - HARMLESS <= set(identifying(kind))


def test_every_listed_column_exists() -> None:
    """Every listed column is in a table."""
    known = {field.name for kind in schemas.OUTPUTS for field in fields(kind)}

    assert set(IDENTIFYING) <= known
