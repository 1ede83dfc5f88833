"""Numbers and rows are on branches of their own: no user's wait holds them back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
import duckdb

from pipelines.stream import build
from pipelines.stream_options import Sinks
from tests.kit.reminders import DAY, HOUR, LOGS, MINUTE, SPACE, TEN, track
from tests.kit.streams import At, message, run
from transforms.run_flows import Settings
from transforms.sources.pubsub import Received

SEEN: dict[str, list[tuple[Any, ...]]] = {}
QUERY = """
select "window", sum(value) from read_parquet('{}/flow_metric/**/*.parquet')
where metric = 'entries' group by all order by all
"""


def probe(element: Received, out: str) -> Received:
    """When the probe comes by, note which numbers are there by then."""
    if element[3].startswith("probe"):
        files = list(Path(out).rglob("flow_metric/**/*.parquet"))
        query = QUERY.format(Path(out) / SPACE)
        SEEN[element[3]] = duckdb.sql(query).fetchall() if files else []
    return element


def entered(n: int, at: int) -> list:
    return [message(track(f"cart-{n}", f"u{n}", "Cart", at), at, f"cart-{n}")]


def test_windows_close_while_users_wait(tmp_path: Path) -> None:
    """Hours close and show while waits of thirty days are open, and again for a late row (R25)."""
    SEEN.clear()
    ordered = [message(track("o", "u0", "Order", TEN + MINUTE), TEN + MINUTE, "o")]
    steps = [
        TEN - 1, entered(0, TEN), ordered, [message(b"", TEN, "probe before", kind="heartbeat")],
        TEN + 80 * MINUTE, [message(b"", TEN + 2 * HOUR, "probe hour", kind="heartbeat")],
        entered(1, TEN + 2 * MINUTE), TEN + 90 * MINUTE,
        [message(b"", TEN + 2 * HOUR, "probe late", kind="heartbeat")],
        TEN + 2 * DAY, [message(b"", TEN + 2 * DAY, "probe day", kind="heartbeat")],
    ]  # fmt: skip

    def wire(given: Any) -> Any:
        probed = given | "Probe" >> beam.Map(probe, str(tmp_path)).with_output_types(Received)
        sinks = Sinks(tables=str(tmp_path), pace=None)
        settings = Settings(until=TEN + 3 * DAY, clock=At())
        return build(probed, LOGS, sinks, space=SPACE, settings=settings)

    run(steps, Received, wire)

    assert SEEN["probe before"] == []
    assert SEEN["probe hour"] == [("hour", 1.0), ("minute", 1.0)]
    assert SEEN["probe late"] == [("hour", 2.0), ("minute", 2.0)]
    assert SEEN["probe day"] == [("day", 2.0), ("hour", 2.0), ("minute", 2.0)]
