"""The job on Flink over recorded data, with complete control logs: no alarm is early, and what it sends to
itself is only inspected.

flink run -py tests/kit/flink_job.py UNTIL [released] OPTIONS…

With ``released``, it writes the states of every other user in the layout of the first release.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cloudpickle
import released_layout  # beside this file
from pyflink.datastream import StreamExecutionEnvironment

import pipelines.flink
from pipelines.flink_options import parse
from transforms.flink.elements import Decided, Named
from transforms.flink.run_flows import RunFlows
from transforms.flink.user_state import pack, to_key, unpack
from transforms.flows.catalog.epochs import NEVER
from transforms.hosting.catalogs import FixedLogs
from transforms.hosting.settings import Settings
from transforms.sinks.outgoing import LOOPED


class RunReleased(RunFlows):
    """The job's function as a release had it that wrote an earlier layout, for half of the users."""

    def _make(self, state: Any, *others: Any) -> Any:
        self._state = state
        return super()._make(self, *others)

    def process_element(self, value: Named, ctx: Any) -> Iterable[Decided]:
        self._name = value[0]
        return super().process_element(value, ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> Iterable[Decided]:
        self._name = ctx.get_current_key()
        return super().on_timer(timestamp, ctx)

    def value(self) -> bytes | None:
        return self._state.value()

    def clear(self) -> None:
        self._state.clear()

    def update(self, kept: bytes) -> None:
        alarm, blob = unpack(kept)
        if released_layout.is_chosen(*to_key(self._name)):
            blob = released_layout.released(blob)
        self._state.update(pack(alarm, blob))


def main(until: str, *words: str) -> None:
    """Submit the job."""
    if words[0] == "released":
        # The workers have no folder of tests.
        cloudpickle.register_pickle_by_value(released_layout)
        pipelines.flink.RunFlows = RunReleased
    given = parse(words[1:] if words[0] == "released" else words)
    logs = {
        space: tuple(Path(path).read_bytes().splitlines()) for space, path in given.control.items()
    }
    env = StreamExecutionEnvironment.get_execution_environment()
    pipelines.flink.build(
        env,
        given.kafka,
        given.sources,
        given.topics | dict.fromkeys(LOOPED, "looped"),
        FixedLogs(logs),
        space=given.space,
        settings=Settings(until=int(until), clock=lambda: NEVER),
        encoding=given.encoding,
        lateness=given.lateness,
        folder=given.folder,
    )
    env.execute(given.kafka.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
