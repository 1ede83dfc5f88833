"""DuckDB in memory, with a limit: what does not fit is moved to temporary files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import duckdb

MEMORY = "768MB"


def in_memory() -> duckdb.DuckDBPyConnection:
    """Open a database in memory, in UTC."""
    database = duckdb.connect(
        config={"memory_limit": MEMORY, "temp_directory": tempfile.gettempdir()}
    )
    database.execute("set TimeZone = 'UTC'")
    return database


def parquet(paths: Iterable[Path], options: str = "") -> str:
    """Return the SQL of a table of Parquet files, without columns for the names of folders."""
    files = ", ".join(quoted(str(path)) for path in paths)
    return f"read_parquet([{files}], hive_partitioning = false{options})"


def quoted(text: str) -> str:
    """Quote a text for SQL."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
