"""The graph of the job on Flink, by the words of its command line: a line of JSON for each operator.

It is run by the Python of Flink's environment; `operators` does that.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

PARALLELISM = 2


class Operator(msgspec.Struct, frozen=True, order=True):
    """An operator: its id, name and parallelism; ``inputs`` are the ids of those before it."""

    id: str
    name: str
    parallelism: int
    inputs: list[str]


def operators(words: Sequence[str], folder: Path) -> dict[str, Operator]:
    """Build the job in Flink's environment; return its operators by id."""
    from tests.kit.flink_cluster import ENVIRONMENT
    from towpath.flink import settings

    conf = settings.SHARED | {"parallelism.default": PARALLELISM}
    (folder / "config.yaml").write_text(settings.to_yaml(conf))
    # With no mode, PyFlink would start a server for a local cluster.
    variables = {"_python_worker_execution_mode": "process"}
    done = subprocess.run(
        [ENVIRONMENT.python, Path(__file__).absolute(), *words],
        env={**ENVIRONMENT.variables(folder, folder), **variables}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    found = [msgspec.json.decode(line, type=Operator) for line in done.stdout.splitlines()]
    return {one.id: one for one in found}


def main(words: Sequence[str]) -> None:
    """Build the job; print its operators."""
    from pyflink.datastream import StreamExecutionEnvironment

    from pipelines.flink import build
    from pipelines.flink_options import parse
    from transforms.hosting.catalogs import FixedLogs

    given = parse(words)
    env = StreamExecutionEnvironment.get_execution_environment()
    build(
        env, given.kafka, given.sources, given.topics, FixedLogs({}), lateness=given.lateness
    )  # fmt: skip
    graph = env._j_stream_execution_environment.getStreamGraph(False)
    nodes = list(graph.getStreamNodes().toArray())
    ids = {node.getId(): node.getTransformationUID() or node.getOperatorName() for node in nodes}
    for node in nodes:
        inputs = [ids[edge.getSourceId()] for edge in node.getInEdges().toArray()]
        one = Operator(ids[node.getId()], node.getOperatorName(), node.getParallelism(), inputs)
        print(msgspec.json.encode(one).decode())


if __name__ == "__main__":
    main(sys.argv[1:])
