"""The job on Flink over recorded data, with complete control logs: no alarm is early, and what it sends to
itself is only inspected.

flink run -py tests/kit/flink_job.py UNTIL OPTIONS…
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyflink.datastream import StreamExecutionEnvironment

from pipelines.flink import build
from pipelines.flink_options import parse
from transforms.flows.catalog.epochs import NEVER
from transforms.hosting.catalogs import FixedLogs
from transforms.hosting.run import Settings
from transforms.sinks.outgoing import LOOPED

if __name__ == "__main__":
    until, *words = sys.argv[1:]
    given = parse(words)
    logs = {
        space: tuple(Path(path).read_bytes().splitlines()) for space, path in given.control.items()
    }
    env = StreamExecutionEnvironment.get_execution_environment()
    build(
        env,
        given.kafka,
        given.sources,
        given.topics | dict.fromkeys(LOOPED, "looped"),
        FixedLogs(logs),
        space=given.space,
        settings=Settings(until=int(until), clock=lambda: NEVER),
        encoding=given.encoding,
    )
    env.execute(given.kafka.name)
