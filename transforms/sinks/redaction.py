"""Tables without erased users: their rows stay for the sums, what identifies them is null (R32)."""

from __future__ import annotations

from transforms.wire.rows import fields

IDENTIFYING = {
    "user": "all",
    "address": "message",
    "data": "message webhook communication state_export",
    "headers": "webhook call",
    "fields": "export participant_update",
    "set": "profile_update",
    "unset": "profile_update",
    "tag": "profile_update",
    "untag": "profile_update",
    "consent": "profile_update",
    "key": "transition",
    "detail": "rejection dead_letter",
    "record": "dead_letter",
    "inputs": "call",
    "properties": "emitted",
    "flows": "flow_state",
    "state": "handover",
    "signal": "forwarded",
    "to": "handover forwarded",
}
"""The columns that may say who a user is, each with the tables where they do."""


def identifying(kind: str) -> list[str]:
    """List the columns of a table that an erasure makes null, in their order."""
    return [
        field.name
        for field in fields(kind)
        if IDENTIFYING.get(field.name) == "all" or kind in IDENTIFYING.get(field.name, "").split()
    ]


def redacted(kind: str, rows: str, erased: str) -> str:
    """Write the query for DuckDB that reads a table with erased users blanked.

    ``rows`` and ``erased`` are what follows ``from``: the table, and that of erasures. A user's
    rows from after the erasure stay as they are.
    """
    gone = (
        f'exists (select 1 from {erased} gone where gone."user" = rows."user"'
        ' and rows."at" <= gone."at")'
    )
    blanks = ", ".join(
        f'case when {gone} then null else rows."{name}" end as "{name}"'
        for name in identifying(kind)
    )
    return f"select rows.* replace ({blanks}) from {rows} rows"
