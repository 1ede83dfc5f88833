"""Statements of Flink's SQL."""

from __future__ import annotations

from collections.abc import Mapping


def create_table(table: str, columns: str, options: Mapping[str, str]) -> str:
    """Return the statement that creates a table of this job."""
    said = ",\n  ".join(f"{_text(name)} = {_text(value)}" for name, value in options.items())
    return f"CREATE TEMPORARY TABLE {table} ({columns}) WITH (\n  {said}\n)"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
