"""Numbers and rows are on their own branches of the pipeline: waiting users do not delay them."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import apache_beam as beam
import duckdb
import pytest

from pipelines.stream import build
from pipelines.stream_options import Sinks
from tests.kit.reminders import AT_ONCE, DAY, HOUR, LOGS, MINUTE, SPACE, TEN, track
from tests.kit.streams import At, Elapse, Step, message, run
from transforms.beam.window_counts import PACE, WriteMetrics
from transforms.hosting.catalogs import FixedLogs
from transforms.hosting.settings import Settings
from transforms.sinks.part_files import listed
from transforms.sources.pubsub.beam_source import Received

SEEN: dict[str, list[tuple[Any, ...]]] = {}
QUERY = """
select "window", sum(value) from read_parquet({})
where metric = 'entries' group by all order by all
"""


def probe(element: Received, out: str) -> Received:
    """When the probe arrives, note which numbers have been written."""
    if element[3].startswith("probe"):
        files = list(map(str, listed("flow_metric", Path(out) / SPACE)))
        SEEN[element[3]] = duckdb.sql(QUERY.format(files)).fetchall() if files else []
    return element


def numbers(given: Any, out: Path, sinks: Sinks, logs: FixedLogs = LOGS) -> Any:
    """Put probes before the job."""
    probed = given | "Probe" >> beam.Map(probe, str(out)).with_output_types(Received)
    settings = Settings(until=TEN + 3 * DAY, clock=At())
    return build(probed, logs, sinks, space=SPACE, settings=settings)


def entered(n: int, at: int) -> list:
    return [message(track(f"cart-{n}", f"u{n}", "Cart", at), at, f"cart-{n}")]


def rewrite_old_panes(patch: pytest.MonkeyPatch) -> None:
    """After each pane of a window, write all its earlier ones again, as late retries would."""
    process, panes = WriteMetrics.process, []

    def write_again(self: WriteMetrics, element: tuple[str, bytes], window: Any) -> None:
        panes.append((self, element, window))
        for each in reversed(panes):
            process(*each)

    write_again.__signature__ = signature(process)  # type: ignore[attr-defined]
    patch.setattr(WriteMetrics, "process", write_again)


@pytest.mark.parametrize("retried", [False, True])
def test_windows_close_while_users_wait(
    retried: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hourly numbers are written during waits of thirty days, and again for a late row (R25).

    Writing an older pane again, as the retry of a late bundle does, changes no number.
    """
    SEEN.clear()
    if retried:
        rewrite_old_panes(monkeypatch)
    ordered = [message(track("o", "u0", "Order", TEN + MINUTE), TEN + MINUTE, "o")]
    steps = [
        TEN - 1, entered(0, TEN), ordered, [message(b"", TEN, "probe before", kind="heartbeat")],
        TEN + 80 * MINUTE, [message(b"", TEN + 2 * HOUR, "probe hour", kind="heartbeat")],
        entered(1, TEN + 2 * MINUTE), TEN + 90 * MINUTE,
        [message(b"", TEN + 2 * HOUR, "probe late", kind="heartbeat")],
        TEN + 2 * DAY, [message(b"", TEN + 2 * DAY, "probe day", kind="heartbeat")],
    ]  # fmt: skip

    sinks = Sinks(tables=str(tmp_path), file_wait=None, pace=None)
    run(steps, Received, partial(numbers, out=tmp_path, sinks=sinks))

    assert SEEN["probe before"] == []
    assert SEEN["probe hour"] == [("hour", 1.0), ("minute", 1.0)]
    assert SEEN["probe late"] == [("hour", 2.0), ("minute", 2.0)]
    assert SEEN["probe day"] == [("day", 2.0), ("hour", 2.0), ("minute", 2.0)]


def test_numbers_are_written_a_minute_after_a_row(tmp_path: Path) -> None:
    """By default numbers are written a minute after a row arrived, even in open windows (R25).

    A late row shows a minute after it arrived, not before.
    """
    SEEN.clear()
    heartbeat = partial(message, b"", kind="heartbeat")
    steps: list[Step] = [
        TEN - 1, entered(0, TEN), [heartbeat(TEN, "probe at once")],
        Elapse(PACE + 1), [heartbeat(TEN, "probe a minute later")],
        TEN + 80 * MINUTE, [heartbeat(TEN + 2 * HOUR, "probe hour")],
        entered(1, TEN + 2 * MINUTE), [heartbeat(TEN + 2 * HOUR, "probe late")],
        Elapse(PACE + 1), [heartbeat(TEN + 2 * HOUR, "probe late, a minute later")],
    ]  # fmt: skip

    # After a paced late pane this runner reports that it is stalled, although everything is done.
    with suppress(TypeError):
        sinks = Sinks(tables=str(tmp_path))
        run(steps, Received, partial(numbers, out=tmp_path, sinks=sinks, logs=AT_ONCE))

    one, two = ([(window, n) for window in ("day", "hour", "minute")] for n in (1.0, 2.0))
    assert SEEN["probe at once"] == []
    assert SEEN["probe a minute later"] == one
    assert SEEN["probe hour"] == SEEN["probe late"] == one
    assert SEEN["probe late, a minute later"] == two


def test_rows_of_old_records_are_kept(tmp_path: Path) -> None:
    """A record whose ingestion time is months behind the watermark still leaves its rows in the
    tables.
    """
    steps = [TEN + 100 * DAY, entered(0, TEN), TEN + 101 * DAY]
    sinks = Sinks(tables=str(tmp_path), file_wait=None, pace=None)
    run(steps, Received, partial(numbers, out=tmp_path, sinks=sinks))

    found = duckdb.sql(
        f"select what from read_parquet('{tmp_path}/{SPACE}/transition/**/*.parquet')"
    )
    assert ("entered",) in found.fetchall()
