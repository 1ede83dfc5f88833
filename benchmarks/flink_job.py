"""A job of ``benchmarks.flink``: the job on Flink, or the empty one beside it.

flink run -pym benchmarks.flink_job KIND BROKERS NAME EVENTS PREFIX FILE BEFORE MEASURED STATE
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from pyflink.datastream import StreamExecutionEnvironment

import pipelines.flink
from benchmarks.core import MOVES, catalog
from benchmarks.flink_steps import Empty, Flows, Forward, TimedFlows, TimedPublish, Watch
from pipelines.flink_options import Kafka
from transforms.flink.publish import Publish
from transforms.flows.protocol import control_records
from transforms.hosting.allowed import Source
from transforms.hosting.catalogs import FixedLogs
from transforms.sinks.outgoing import topics_of

SPACE = "bench"
KINDS: dict[str, tuple[Any, Any]] = {
    "flows": (Flows, Publish),
    "empty": (Empty, Forward),
    "parts": (TimedFlows, TimedPublish),
}
"""The function of a user, and the function of outputs."""


def main(
    kind: str,
    brokers: str,
    name: str,
    events: str,
    prefix: str,
    file: str,
    before: str,
    measured: str,
    state: str,
) -> None:
    """Submit the job."""
    users, publish = KINDS[kind]
    job: Any = pipelines.flink
    job.RunFlows = partial(users, Watch(file, int(before), int(measured)), int(state))
    job.Publish = publish
    log = tuple(control_records.encode_line(record) for record in catalog(MOVES).records)
    env = StreamExecutionEnvironment.get_execution_environment()
    job.build(
        env,
        Kafka(brokers=brokers, name=name),
        [Source(events)],
        topics_of(prefix),
        FixedLogs({SPACE: log}),
        space=SPACE,
    )
    env.execute(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
