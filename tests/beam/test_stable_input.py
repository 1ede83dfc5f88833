"""The runner stores outputs before topics and Redis get them; their order stays."""

from __future__ import annotations

import pytest
from apache_beam.pvalue import TaggedOutput
from apache_beam.utils.timestamp import Timestamp

from pipelines.stream_options import StreamOptions, sinks_of, stream_options
from tests.kit.reminders import LOGS, MINUTE, SPACE, TEN
from tests.kit.streams import Step, run
from transforms.beam.elements import Decided
from transforms.beam.receive import Receive
from transforms.beam.stable_input import StableInput

USERS, STEPS = 7, 40


def step_of(user: str, number: int) -> tuple[Decided, int]:
    """Return a step with one to three outputs."""
    made = [f"{number}-{n}".encode() for n in range(1 + number % 3)]
    return ((SPACE, user), made), TEN + number


def test_outputs_keep_their_order() -> None:
    """All outputs of a step stay together, and a user's steps follow each other as they were."""
    users = [f"u{n}" for n in range(USERS)]
    steps: list[Step] = [TEN - 1]
    for start in range(0, STEPS, 8):
        steps.append([step_of(u, n) for n in range(start, start + 8) for u in users])
        steps.append(TEN + start * MINUTE)
    found = run(steps, Decided, lambda decided: decided | "Stable input" >> StableInput())

    told = [output for n in range(STEPS) for output in step_of("u", n)[0][1]]
    assert found.by_key() == {(SPACE, user): told for user in users}


def test_letters_without_a_user_are_not_one_line() -> None:
    """Messages that are not signals have keys of their own, which a repeated delivery has again."""
    receive = Receive(LOGS, SPACE)
    at = Timestamp(micros=TEN * 1000)

    def keys(ident: str) -> list[object]:
        found = receive.process((b"{", {"id": ident}, TEN, "m"), at)
        return [one.value[0] for one in found if isinstance(one, TaggedOutput)]

    assert len({*keys("a"), *keys("b"), *keys("c")}) == 3
    assert keys("a") == keys("a")


@pytest.mark.parametrize(
    ("runner", "said", "stable"),
    [
        ("DataflowRunner", [], True),
        ("apache_beam.runners.DataflowRunner", [], True),
        ("PrismRunner", [], False),
        ("PrismRunner", ["--stable_input", "on"], True),
        ("DataflowRunner", ["--stable_input", "off"], False),
    ],
)
def test_where_it_is_on(runner: str, said: list[str], stable: bool) -> None:
    """By default outputs are stored first where a grouping stores them: on Dataflow."""
    options = stream_options(["--runner", runner, *said]).view_as(StreamOptions)
    assert sinks_of(options).stable is stable
