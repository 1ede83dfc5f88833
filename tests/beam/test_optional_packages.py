"""The streaming job needs only the packages of the sinks that it writes to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipelines.stream_packages import missing

BUILD = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
import apache_beam as beam
from apache_beam.internal import pickler
from pipelines.stream import build
from pipelines.stream_options import Sinks, topics_of
from tests.kit.reminders import LOGS, SPACE
from tests.kit.streams import options
from transforms.sources.pubsub.beam_source import Received
job = beam.Pipeline("BundleBasedDirectRunner", options=options())
messages = job | "Source" >> beam.Create([]).with_output_types(Received)
build(messages, LOGS, Sinks(topics=topics_of("p"), tables="out", redis=None), space=SPACE)
job.to_runner_api()
print("built")
"""
OPTIONAL = ("redis", "pydantic_monty", "duckdb", "rich")
"""What the job needs for Redis, for code steps, and for nothing."""


@pytest.mark.slow
def test_topics_and_tables_need_no_other_package() -> None:
    """A job with topics and tables is built, as a worker unpickles it, without the other packages."""
    code = BUILD.format(blocked=OPTIONAL)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stdout == "built\n", done.stderr


@pytest.mark.parametrize(
    ("words", "redis"),
    [
        (["--topics", "p", "--tables", "gs://b/t"], False),
        (["--control", "gs://b/control.jsonl", "--tables=gs://b/redis"], False),
        (["--states", "env:STATES"], True),
        (["--states=redis://h"], True),
        (["--control", "shop=rediss://h/0?space=shop"], True),
        (["--control=unix:///var/run/redis"], True),
    ],
)
def test_redis_is_needed_for_states_and_logs_in_redis(
    words: list[str], redis: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job asks for the package redis only if it writes states or reads a control log there."""
    monkeypatch.setattr("pipelines.stream_packages._is_installed", lambda name: name != "redis")
    expected = "the streaming job needs redis; run pip install 'towpath[beam,redis]'"

    assert missing(words) == (expected if redis else None)
