"""The names of the job's steps are explicit, unique, and the same as in the last release."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam

from pipelines.stream import build
from pipelines.stream_options import Sinks, control_of, topics_of
from tests.kit.reminders import LOGS, SPACE
from tests.kit.streams import TRUSTED, options
from transforms.sources.pubsub.beam_source import Received

GOLDEN = Path(__file__).parent / "stream_names.txt"
OF_BEAM = (
    "Combine",
    "GroupByKey",
    "Map(<lambda at util.py:1275>)",
    "ParDo(_GroupIntoBatchesDoFn)",
    "ParDo(CombineValuesDoFn)",
    "ParDo(Receive)",
    "ParDo(WriteRows)",
)
"""Names that Beam's own transforms and our classes add within our steps."""


def labels(sources: int = 1) -> list[str]:
    """List the full names of all steps after the sources."""
    made = beam.Pipeline("BundleBasedDirectRunner", options=options())
    messages = tuple(
        made | f"Source{n}" >> beam.Create([]).with_output_types(Received) for n in range(sources)
    )
    sinks = Sinks(topics=topics_of("p"), redis="redis://localhost", tables="out", stable=True)
    build(messages, LOGS, sinks, space=SPACE, sources=[TRUSTED] * sources)
    return sorted(name for name in made.applied_labels if not name.startswith("Source"))


def test_step_names_do_not_change(rewrite: bool) -> None:
    """A runner finds state by the names of steps, so they must not change by accident."""
    found = labels()
    if rewrite:
        GOLDEN.write_text("\n".join(found) + "\n")
    assert found == GOLDEN.read_text().splitlines()
    assert len(found) == len(set(found))


def test_another_subscription_only_adds_steps() -> None:
    """A job can get another subscription by an update: no step has another name then."""
    added = set(labels(sources=2)) - set(labels())
    assert set(labels()) <= set(labels(sources=2))
    assert {name.rpartition("/")[2] for name in added} == {
        "All sources",
        "Decode and key 2",
        "ParDo(Receive)",
    }


def test_every_step_has_an_explicit_name() -> None:
    """None of our steps is named after its class or function."""
    ours = {name.rpartition("/")[2] for name in labels()} - set(OF_BEAM)
    assert [name for name in sorted(ours) if "(" in name or name in ("ParDo", "Map")] == []


def test_control_log_addresses() -> None:
    """A control log is given per space; an address without a name is for the default space."""
    given = ["a=/logs/a", "redis://h:1/0?space=b", "c=redis://h:1/0?space=c"]
    assert control_of(given, "main") == {
        "a": "/logs/a",
        "main": "redis://h:1/0?space=b",
        "c": "redis://h:1/0?space=c",
    }
