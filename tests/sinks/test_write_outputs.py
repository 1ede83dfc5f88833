"""Sinks in a pipeline: outputs are written when their bundle ends, and invalid ones are counted."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import pytest

from tests.kit.pubsub_servers import World, ordered_world
from tests.kit.redis_server import RedisServer
from tests.kit.streams import counters
from transforms.beam.elements import Decided
from transforms.beam.write_outputs import Publish, WriteStates
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import AnyOutput, DeadLetter, FlowState, ProfileUpdate
from transforms.sinks.redis import open_states
from transforms.wire.messages import from_message


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with ordered_world(monkeypatch) as found:
        yield found


LETTERS: list[DeadLetter] = []


def keep(decided: Decided) -> None:
    LETTERS.extend(outputs.decode(one) for one in decided[1])


def run(step: beam.DoFn, given: list[AnyOutput]) -> dict[str, int]:
    """Run a step over encoded outputs; return its counters, and keep its dead letters."""
    LETTERS.clear()
    pipeline = beam.Pipeline(runner="BundleBasedDirectRunner")
    encoded = [(("shop", output.user), [outputs.encode(output)]) for output in given]
    made = pipeline | "Outputs" >> beam.Create(encoded).with_output_types(Decided)
    _ = made | "Write" >> beam.ParDo(step) | "Keep" >> beam.Map(keep)
    result = pipeline.run()
    result.wait_until_finish()
    return {name: n for name, n in counters(result).items() if name.startswith("towpath.")}


def dead_letter_facts() -> list[tuple[str, str, str, str]]:
    """Return user, reason, cause and detail of the dead letters."""
    return [(letter.user, letter.reason, letter.cause, letter.detail) for letter in LETTERS]


def update(number: int, user: str) -> ProfileUpdate:
    return ProfileUpdate(id=f"p{number}", user=user, at=1, set={"n": number})


def state(number: int, user: str, sequence: int | None = None) -> FlowState:
    sequence = number if sequence is None else sequence
    return FlowState(
        id=f"s{number}", user=user, at=number, sequence=sequence, flows=[], promotions={}
    )


def test_a_bundle_publishes_all_its_outputs(world: World) -> None:
    """Every output is on its topic, with its space; one that the broker refuses is a dead letter.

    A dead letter that the broker refuses is only counted; kinds without a topic are ignored.
    """
    given = [update(number, f"u{number % 3}") for number in range(12)]
    letter = DeadLetter(id="d", user="u" * 2000, at=1, reason="failed", cause="c")
    topics = {"profile_update": world.topic, "dead_letter": world.topic}
    counted = run(Publish(topics), [*given, update(12, "u" * 2000), letter, state(1, "kim")])
    received = [each.message for each in world.pull_all(12)]
    found = [from_message(one.data, one.attributes) for one in received]

    assert sorted(found, key=lambda one: int(one.id[1:])) == given
    assert {one.attributes["space"] for one in received} == {"shop"}
    assert counted == {
        "towpath.published.profile_update": 13,
        "towpath.published.dead_letter": 1,
        "towpath.unfit_outputs.topics": 2,
        "towpath.dead_letters.unfit_output": 1,
    }
    why = "profile_update for topics: its id, user, space or flow has more than 1024 bytes"
    assert dead_letter_facts() == [("", "unfit_output", "p12", why)]


def test_a_bundle_writes_the_newest_states() -> None:
    """Each user's newest state is in Redis; one that does not fit its schema is a dead letter."""
    with RedisServer("valkey") as server:
        given = [state(number, f"u{number % 3}") for number in range(12)]
        wrong = state(12, "kim", sequence=2**63)
        counted = run(WriteStates(server.url), [*given, wrong, update(1, "kim")])
        reader = open_states(server.url)

        assert [reader.get_state("shop", f"u{n}").sequence for n in range(3)] == [9, 10, 11]
        assert counted == {
            "towpath.states_written": 12,
            "towpath.stale_writes": 9,
            "towpath.unfit_outputs.redis": 1,
            "towpath.dead_letters.unfit_output": 1,
        }
        why = "flow_state for redis: sequence is not of type long"
        assert dead_letter_facts() == [("kim", "unfit_output", "s12", why)]


def test_writes_of_an_earlier_epoch_are_stale() -> None:
    """What an old job writes about a user of a later epoch is counted, and changes nothing."""
    with RedisServer("valkey") as server:
        assert run(WriteStates(server.url, epoch=2), [state(3, "kim")]) == {
            "towpath.states_written": 1
        }
        old = WriteStates(server.url, epoch=1)

        assert run(old, [state(9, "kim"), state(9, "lee")]) == {
            "towpath.states_written": 2,
            "towpath.stale_writes": 1,
        }
        reader = open_states(server.url)
        assert [reader.get_state("shop", user).sequence for user in ("kim", "lee")] == [3, 9]
