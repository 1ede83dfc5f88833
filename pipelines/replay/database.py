"""DuckDB in memory, with a limit: what does not fit is moved to temporary files."""

from __future__ import annotations

import tempfile

import duckdb

MEMORY = "768MB"


def in_memory() -> duckdb.DuckDBPyConnection:
    """Open a database in memory, in UTC."""
    folder = tempfile.gettempdir().replace("'", "''")
    database = duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": folder})
    database.execute("set TimeZone = 'UTC'")
    return database
