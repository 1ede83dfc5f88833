"""Tables of Flink's SQL for a job without a broker: what looks for new files, and files of lines."""

from __future__ import annotations

from transforms.flink.statements import create_table

LARGEST = "16MB"
"""The size after which a file is finished: who turns it into tables holds its rows in memory."""
LONGEST_CHECK = 10
"""Seconds between two looks at the age of files, at most."""


def ticks_table(table: str) -> str:
    """Return the statement that creates the table whose rows, one a second, look for new files."""
    return create_table(table, "tick INT", {"connector": "datagen", "rows-per-second": "1"})


def lines_table(table: str, folder: str, wait: int) -> str:
    """Return the statement that creates the table of lines, which are written exactly once.

    A file is finished after ``wait`` seconds; what it has is committed with the next checkpoint.
    """
    options = {
        "connector": "filesystem",
        "path": folder,
        "format": "raw",
        "sink.rolling-policy.file-size": LARGEST,
        "sink.rolling-policy.rollover-interval": f"{wait} s",
        "sink.rolling-policy.check-interval": f"{min(wait, LONGEST_CHECK)} s",
    }
    return create_table(table, "`lines` BYTES", options)
