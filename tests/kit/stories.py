"""The stories of all scenario files, and their records on one topic, each story in its own space."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tests.kit.keys import Keys
from tests.kit.random_users import Published
from towpath.scenario_files import ENDING, folder
from transforms.flows.protocol.control_records import encode_line
from transforms.flows.protocol.outputs import AnyOutput, ForwardedOut, HandoverOut
from transforms.flows.protocol.signals import Command, Time
from transforms.hosting.catalogs import FixedLogs, read_once
from transforms.hosting.sandbox import answer
from transforms.scenarios.grammar import read_stories
from transforms.scenarios.player import Turn, control_log_of, play
from transforms.wire.decode import decode_json
from transforms.wire.messages import to_envelope, to_event
from transforms.wire.raw import Bad

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "tests" / "scenarios"
FLOWS = ROOT / "flow_defs"


class Played(msgspec.Struct, frozen=True):
    """A story on the core: where it is, its control log and its turns."""

    place: str
    log: tuple[bytes, ...]
    turns: list[Turn]


def played(*folders: Path) -> Iterator[Played]:
    """Play every story of every file below some folders."""
    for path in sorted(path for each in folders for path in each.rglob(f"*{ENDING}")):
        beside = folder(path.parent)
        read = read_stories(path.as_posix(), path.read_text()).value
        assert read is not None
        for story in read.stories:
            log = control_log_of(read, story, beside.project, beside.texts)
            place = f"{path.relative_to(ROOT)}:{story.line + 1}"
            turns = play(read, story, log, answer)
            yield Played(place, tuple(map(encode_line, log)), turns)


class Stories:
    """The records of all stories, in order of their receipts.

    ``looped`` has the bodies of what keys of a user send each other, by space, sender and recipient:
    the job must send the same ones (R8).
    """

    def __init__(self) -> None:
        self.stories = {f"s{n}": story for n, story in enumerate(played(FLOWS, SCENARIOS), 1)}
        self.logs = FixedLogs({space: story.log for space, story in self.stories.items()})
        self.looped: dict[tuple[str, str, str], list[bytes]] = {}
        self.records: list[Published] = []
        for space, story in self.stories.items():
            self._add(space, story)
        self.records.sort(key=lambda record: record.receipt)
        self.users = sorted({record.key for record in self.records})
        self.end = max(record.receipt for record in self.records)

    def pieces(self) -> Iterator[list[Published]]:
        """Return the records in one batch."""
        yield self.records

    def _add(self, space: str, story: Played) -> None:
        """Add the records of a story; receipts never go back.

        Where a story only advances the time, timers must fire by themselves. If a control record
        takes effect there, the controller wakes the user.
        """
        catalog, slack, receipt, looked = (
            read_once(story.log).catalog,
            self.logs.of(space).slack,
            0,
            0,
        )
        keys = Keys(catalog)
        for number, turn in enumerate(story.turns):
            given = turn.signals[0]
            if isinstance(given, Time):
                receipt = max(receipt, given.at + slack)
                if catalog.next_effect(looked, given.at) is not None:
                    wake = Command(what="wake", id=f"w{number}", user=given.user, time=given.at)
                    self._give(keys, receipt, space, to_envelope(wake))
                looked = given.at
                told = keys.give(given)
            else:
                receipt = max(receipt, given.time if given.received is None else given.received)
                told = self._give(keys, receipt, space, to_envelope(given))
            left = deque(told)
            while left:
                output = left.popleft()
                if isinstance(output, HandoverOut | ForwardedOut):
                    data = to_event(space, output).data
                    self.looped.setdefault((space, output.user, output.to), []).append(data)
                    left += self._give(keys, receipt, space, data)

    def _give(self, keys: Keys, receipt: int, space: str, data: bytes) -> Sequence[AnyOutput]:
        """Publish a record and give it to the core; what the wire cannot carry is left out."""
        signal = decode_json(data)
        if isinstance(signal, Bad):
            return ()
        assert not isinstance(signal, Time)
        signal = msgspec.structs.replace(signal, received=receipt)
        self.records.append(Published(receipt, (space, signal.user), signal, data))
        return keys.give(signal)
