"""The names of the job's steps are given, unique, and the same as in the last release."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam

from pipelines.stream import build
from pipelines.stream_options import Sinks, control_of, topics_of
from tests.kit.reminders import LOGS, SPACE
from tests.kit.streams import options
from transforms.sources.pubsub.beam_source import Received

GOLDEN = Path(__file__).parent / "stream_names.txt"
OF_BEAM = (
    "Combine",
    "GroupByKey",
    "ParDo(CombineValuesDoFn)",
    "ParDo(Receive)",
    "ParDo(WriteRows)",
)
"""What Beam names within steps of ours: by its own parts, and by our classes."""


def labels() -> list[str]:
    """List the full names of all steps behind the source."""
    made = beam.Pipeline("BundleBasedDirectRunner", options=options())
    source = made | "Source" >> beam.Create([]).with_output_types(Received)
    sinks = Sinks(topics=topics_of("p"), redis="redis://localhost", tables="out")
    build(source, LOGS, sinks, space=SPACE)
    return sorted(name for name in made.applied_labels if not name.startswith("Source"))


def test_every_step_is_named(rewrite: bool) -> None:
    """A runner finds state by the names of steps, so they never change by themselves."""
    found = labels()
    if rewrite:
        GOLDEN.write_text("\n".join(found) + "\n")
    assert found == GOLDEN.read_text().splitlines()
    assert len(found) == len(set(found))


def test_no_name_is_made_up_by_beam() -> None:
    """No step of ours is named after its class or function."""
    ours = {name.rpartition("/")[2] for name in labels()} - set(OF_BEAM)
    assert [name for name in sorted(ours) if "(" in name or name in ("ParDo", "Map")] == []


def test_control_addresses() -> None:
    """A control log is given for each space; without a name it is that of the default space."""
    given = ["a=/logs/a", "redis://h:1/0?space=b", "c=redis://h:1/0?space=c"]
    assert control_of(given, "main") == {
        "a": "/logs/a",
        "main": "redis://h:1/0?space=b",
        "c": "redis://h:1/0?space=c",
    }
