"""Redaction of erased users in tables: rows stay for the sums, identifying columns become null (R32)."""

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
"""The columns that may identify a user, each with its tables."""


def identifying(kind: str) -> list[str]:
    """List the columns of a table that an erasure makes null, in order."""
    return [
        field.name
        for field in fields(kind)
        if IDENTIFYING.get(field.name) == "all" or kind in IDENTIFYING.get(field.name, "").split()
    ]


def redacted(kind: str, rows: str, erased: str) -> str:
    """Build a DuckDB query that reads a table with erased users redacted.

    ``rows`` and ``erased`` are SQL after ``from``: the table, and the table of erasures. Rows after
    the erasure are not redacted.
    """
    is_erased = (
        f'exists (select 1 from {erased} gone where gone."user" = rows."user"'
        ' and rows."at" <= gone."at")'
    )
    columns = ", ".join(
        f'case when {is_erased} then null else rows."{name}" end as "{name}"'
        for name in identifying(kind)
    )
    return f"select rows.* replace ({columns}) from {rows} rows"
