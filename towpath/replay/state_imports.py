"""The states at the end of a replay as commands that import them, one JSON record per line."""

from __future__ import annotations

from pathlib import Path

from transforms.flows.protocol.outputs import StateExport
from transforms.flows.protocol.signals import Command
from transforms.sinks import parquet
from transforms.sinks.part_files import listed
from transforms.wire.messages import to_envelope
from transforms.wire.rows import from_row

KIND = "state_export"
BATCH = 200  # a state may have 256 KiB


def write_imports(out: Path, file: Path, at: int) -> int:
    """Write an import for each state that was exported at an instant; return their number."""
    count = 0
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as lines:
        for path in listed(KIND, out):
            for row in parquet.rows_of(path, BATCH):
                found = from_row(KIND, row)
                assert isinstance(found, StateExport)
                if found.at == at:
                    lines.write(import_of(found) + b"\n")
                    count += 1
    return count


def import_of(found: StateExport) -> bytes:
    """Write the record of a command that imports a state at the instant of its export."""
    name, at = f"import-{found.id}", found.at
    command = Command(
        id=name, user=found.user, time=at, received=at, what="import", data={"state": found.data}
    )
    return to_envelope(command)
