"""A replay over files of every format, as a user runs it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.replay import kit
from tests.replay.kit import DAY, START, Done
from transforms import metrics
from transforms.sinks.part_files import listed
from transforms.wire.rows import from_row

Whole = tuple[Done, Path]


@pytest.mark.parametrize("user", ["csv1", "csvgz1", "json3", "gz1", "avro1", "parquet1"])
def test_every_format_is_read(full_replay: Whole, user: str) -> None:
    """CSV with a mapping, JSON lines, Avro and Parquet, compressed or not, all add their users."""
    _, out = full_replay
    entered = [row for row in kit.rows(out, "transition") if row["what"] == "entered"]

    assert [row["flow"] for row in entered if row["user"] == user] == ["welcome"]


def test_invalid_rows_become_dead_letters(full_replay: Whole, inputs: dict[str, Path]) -> None:
    """An invalid row gives a dead letter with file, line and reason; the run continues and exits
    with 1.
    """
    done, out = full_replay
    found = [(row["cause"], row["reason"]) for row in kit.rows(out, "dead_letter")]

    assert found == [(f"{inputs['bad']}:3", "missing"), (f"{inputs['bad']}:4", "not_json")]
    assert done.code == 1
    assert f"{inputs['bad']}:3:1:" in done.err
    assert "2 records rejected" in done.err


def test_unused_and_later_records_are_counted(full_replay: Whole) -> None:
    """Records after --until and unused events are counted, not replayed (R5)."""
    told = json.loads((full_replay[1] / "replay.json").read_text())

    assert (told["after"], told["unread"], told["bad"]) == (1, 1, 2)
    assert told["read"] == 32 + 40 + 2 + 1 + 2 + 1 + 4
    assert "late" not in {row["user"] for row in kit.rows(full_replay[1], "transition")}


def test_the_text_report_shows_the_funnel(full_replay: Whole) -> None:
    """The report on stdout says that nothing was sent (R25)."""
    done, out = full_replay
    entered = [row for row in kit.rows(out, "transition") if row["what"] == "entered"]

    assert re.search(
        rf"entered +{len(entered)} sessions of {len(entered)} users, \d sessions? in the holdout",
        done.out,
    )
    assert "suppressed" in done.out
    assert "Nothing was sent" in done.out
    assert "Results in" in done.err


def test_windows_equal_a_recount_of_the_rows(full_replay: Whole) -> None:
    """The numbers by SQL equal a count row by row from the raw rows (R25)."""
    _, out = full_replay
    counts: metrics.Counts = {}
    for kind in ("transition", "communication", "message", "conversion", "rejection"):
        for path in listed(kind, out):
            for row in pq.ParquetFile(path).read().to_pylist():
                metrics.add(counts, from_row(kind, row))
    counted = metrics.rows(counts)

    for kind, made in (("step_metric", metrics.StepMetric), ("flow_metric", metrics.FlowMetric)):
        found = {_row(row) for row in kit.rows(out, kind)}
        wanted = {_row({f: getattr(r, f) for f in made.__struct_fields__})
                  for r in counted if isinstance(r, made)}  # fmt: skip
        assert found == wanted
        assert len(kit.rows(out, kind)) == len(wanted) > 0


def _row(row: kit.Record) -> tuple:
    start = row["start"]
    at = start if isinstance(start, int) else int(start.timestamp() * 1000)
    return tuple(sorted((row | {"start": at}).items()))


def test_pictures_are_written(full_replay: Whole) -> None:
    """Two pictures are next to the results: complete SVG with a title, for light and dark pages."""
    _, out = full_replay
    for name in ("funnel.svg", "weekly.svg"):
        text = (out / name).read_text()
        root = ET.fromstring(text)

        assert root.tag.endswith("svg")
        assert "prefers-color-scheme: dark" in text
    assert "hello" in (out / "funnel.svg").read_text()
    assert "messages that would be sent" in (out / "weekly.svg").read_text()


def test_explain_shows_times_and_reasons(full_replay: Whole, rewrite: bool) -> None:
    """A user's timeline shows entries, messages, waits, ends and goals with their reasons."""
    _, out = full_replay
    said = "\n".join(
        kit.towpath("explain", user, "--out", out).out for user in ("json3", "json9", "csv20")
    )
    golden = Path(__file__).with_name("explained.txt")
    if rewrite:
        golden.write_text(said)

    assert said == golden.read_text()


def test_explain_as_json(full_replay: Whole) -> None:
    """With --json the timeline is one object, with ids of causes and ms UTC."""
    _, out = full_replay
    told = json.loads(kit.towpath("explain", "json3", "--out", out, "--json").out)
    first = told["entries"][0]

    assert (first["what"], first["at"]) == ("entered", START + 3 * DAY)
    assert first["cause"] == first["started_by"] == "m106"
    assert {entry["what"] for entry in told["entries"]} >= {"decided", "goal", "ended"}
    assert told["pending"] == []


def test_explain_shows_pending_waits(full_replay: Whole) -> None:
    """A wait that ends after the replay is pending, with its end and the next messages (R3)."""
    _, out = full_replay
    told = json.loads(kit.towpath("explain", "csv29", "--out", out, "--json").out)

    assert [(p["step"], p["until"], p["sends"]) for p in told["pending"]] == [
        ("seen", START + 32 * DAY, ["again"])
    ]


def test_explain_without_results(tmp_path: Path, full_replay: Whole) -> None:
    """A user without rows exits with 1, a folder without results with 2; both show a message."""
    stranger = kit.towpath("explain", "stranger", "--out", full_replay[1])
    assert (stranger.code, stranger.out) == (1, "")
    assert "no results for user stranger" in stranger.err
    assert kit.towpath("explain", "csv1", "--out", tmp_path).code == 2
