"""One replay over every format, shared by the tests that only read its results."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.replay import kit
from tests.replay.kit import DAY, START, Done, life, track


@pytest.fixture(scope="package")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a file of each format, and one with invalid rows."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "map.yaml").write_text(kit.MAP)
    csv = [(f"csv{n}", START + n * DAY, "Signup", "") for n in range(30)]
    twice = [("csv1", START + 5 * DAY, "Purchase", "7.5")] * 2
    files = {
        "map": folder / "map.yaml",
        "csv": kit.write_csv(folder / "rows.csv", [*csv, *twice]),
        "jsonl": kit.write_lines(
            folder / "lines.jsonl",
            [r for n in range(20) for r in life(f"json{n}", 100 + 2 * n, n % 7, n % 5)],
        ),
        "gzip": kit.write_lines(folder / "more.jsonl.gz", life("gz1", 300, 2, 1)),
        "avro": kit.write_avro(folder / "events.avro", life("avro1", 400, 3)),
        "parquet": kit.write_parquet(folder / "events.parquet", life("parquet1", 500, 4, 2)),
        "csv.gz": folder / "packed.csv.gz",
        "bad": folder / "bad.jsonl",
    }
    packed = f"who,at,what,amount\ncsvgz1,{START},Signup,\n"
    files["csv.gz"].write_bytes(gzip.compress(packed.encode(), mtime=0))
    late = track(900, "late", "Signup", START + 40 * DAY)
    unread = track(901, "nobody", "Page Viewed", START)
    kit.write_lines(files["bad"], [late, unread])
    with files["bad"].open("a") as file:
        file.write('{"type": "track", "messageId": "x"}\nnot json\n')
    return files


@pytest.fixture(scope="package")
def full_replay(
    inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Done, Path]:
    """Replay everything on Beam, once."""
    out = tmp_path_factory.mktemp("whole") / "out"
    events = [path for name, path in inputs.items() if name != "map"]
    return kit.replay(out, *events, more=["--map", inputs["map"], *kit.BEAM]), out
