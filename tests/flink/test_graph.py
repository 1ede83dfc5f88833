"""The graph of the job on Flink: ids that savepoints find states by, and parallelism."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.flink_graph import PARALLELISM, Operator, operators

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flink")]

GOLDEN = Path(__file__).parent / "operator_ids.txt"
WORDS = (
    "--brokers", "127.0.0.1:9", "--control", "/c.jsonl", "--metrics", "--events", "events",
    "--events", "handovers=handover",
)  # fmt: skip
MORE = (*WORDS, "--events", "more")


@pytest.fixture(scope="module")
def job(java: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Operator]:
    """Return the operators of a job that has everything but files."""
    return operators(WORDS, tmp_path_factory.mktemp("job"))


def before(found: dict[str, Operator], name: str) -> Iterator[Operator]:
    """Yield the operators before an operator, back to the sources."""
    for one in found[name].inputs:
        yield found[one]
        yield from before(found, one)


def test_ids_do_not_change(job: dict[str, Operator], rewrite: bool) -> None:
    """A savepoint finds states by the ids of operators, so they must not change by accident."""
    found = sorted(job)
    if rewrite:
        GOLDEN.write_text("\n".join(found) + "\n")
    assert found == GOLDEN.read_text().splitlines()


def test_another_topic_only_adds_operators(job: dict[str, Operator], tmp_path: Path) -> None:
    """A job can get another topic by an upgrade: no operator has another id then, and the new one is read
    by all instances.
    """
    more = operators(MORE, tmp_path)

    added = more.keys() - job.keys()
    assert job.keys() <= more.keys()
    assert {name.partition("-")[0] for name in added} == {"more", "receive"}
    assert {more[name].parallelism for name in added} == {PARALLELISM}


def test_a_topic_with_one_partition_does_not_hold_time(job: dict[str, Operator]) -> None:
    """A topic for what only few publish is read by one instance of all operators before the users: others
    would never get a heartbeat, and hold the watermark for ever.
    """
    handovers = [job["receive-handovers"], *before(job, "receive-handovers")]
    events = [job["receive-events"], *before(job, "receive-events")]

    assert len(handovers) == len(events) > 2
    assert {one.parallelism for one in handovers} == {1}
    assert {one.parallelism for one in events} == {PARALLELISM}
    assert sorted(job["run-flows"].inputs) == ["receive-events", "receive-handovers"]
    assert job["run-flows"].parallelism == PARALLELISM
