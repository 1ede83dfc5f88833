"""Sinks in a pipeline: what a bundle holds is out when it ends, and what is bad is counted."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.metrics import MetricsFilter

from tests.kit.pubsub_servers import World, running
from tests.kit.redis_server import RedisServer
from transforms.flows import outputs
from transforms.flows.outputs import AnyOutput, FlowState, ProfileUpdate
from transforms.messages import from_message
from transforms.sinks.bundles import Publish, WriteStates
from transforms.sinks.redis import open_states


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with running("kit") as address:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
        found = World(ordered=True)
        yield found
        found.close()


def run(step: beam.DoFn, given: list[AnyOutput]) -> dict[str, int]:
    """Run a step over encoded outputs; gives its counters."""
    pipeline = beam.Pipeline(runner="BundleBasedDirectRunner")
    encoded = [(("shop", output.user), outputs.encode(output)) for output in given]
    _ = pipeline | "Outputs" >> beam.Create(encoded) | "Write" >> beam.ParDo(step)
    result = pipeline.run()
    result.wait_until_finish()
    found = result.metrics().query(MetricsFilter().with_name("bad"))["counters"]
    return {f"{one.key.metric.namespace}.{one.key.metric.name}": one.committed for one in found}


def update(number: int, user: str) -> ProfileUpdate:
    return ProfileUpdate(id=f"p{number}", user=user, at=1, set={"n": number})


def state(number: int, user: str) -> FlowState:
    return FlowState(
        id=f"s{number}", user=user, at=number, sequence=number, flows=[], promotions={}
    )


def test_a_bundle_publishes_what_it_holds(world: World) -> None:
    """Every output is on its topic, with its space; one that no broker takes is counted."""
    given = [update(number, f"u{number % 3}") for number in range(12)]
    counted = run(Publish({"profile_update": world.topic}), [*given, update(12, "u" * 2000)])
    received = [each.message for each in world.pull_all(12)]
    found = [from_message(one.data, one.attributes) for one in received]

    assert sorted(found, key=lambda one: int(one.id[1:])) == given
    assert {one.attributes["space"] for one in received} == {"shop"}
    assert counted == {"topics.bad": 1}


def test_a_bundle_writes_the_newest_states() -> None:
    """Each user's newest state is in Redis; an output that is no state is counted."""
    with RedisServer("valkey") as server:
        given = [state(number, f"u{number % 3}") for number in range(12)]
        counted = run(WriteStates(server.url), [*given, update(1, "kim")])
        reader = open_states(server.url)

        assert [reader.get_state("shop", f"u{n}").sequence for n in range(3)] == [9, 10, 11]
        assert counted == {"states.bad": 1}
