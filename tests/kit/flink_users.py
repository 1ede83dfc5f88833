"""Users for the tests on Flink: of the sample, with random flows and histories, and such as wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.kit.random_users import Key, Published, RandomUsers, record_of
from tests.kit.reminders import FILES, LINES, MINUTE
from tests.kit.stream_sample import Sample, chosen_users
from transforms.flows.protocol.control_records import Publish, encode_line
from transforms.flows.protocol.signals import Command, Event
from transforms.flows.reading.project import load_project
from transforms.hosting.catalogs import FixedLogs


class Waiting:
    """Users who wait at each of some instants: for what is due within an hour, or in weeks.

    Soon after each instant a version is published that waits longer; the first one takes over those
    who wait.
    """

    SPACE, COUNT = "waiting", 60

    def __init__(self, stops: Sequence[int]) -> None:
        self.users: list[Key] = [(self.SPACE, f"k{n}") for n in range(self.COUNT)]
        self.records = [
            record for stop in stops for n in range(self.COUNT) for record in self._at(stop, n)
        ]
        lines = [*LINES]
        for version, stop in enumerate(stops, 2):
            lines.append(encode_line(self._version(len(lines), stop + 5 * MINUTE, version)))
        self.logs = FixedLogs({self.SPACE: tuple(lines)})

    def _at(self, stop: int, number: int) -> Iterator[Published]:
        """Fill a cart within the hour before; order at once, or soon after, or not at all."""
        cart = stop - number * MINUTE - 1
        yield self._record("Cart", cart, number)
        if number % 3:
            order = cart if number % 3 == 1 else stop + number * MINUTE // 2 + 1
            yield self._record("Order", order, number)

    def _record(self, name: str, at: int, number: int) -> Published:
        space, user = self.users[number]
        event = Event(id=f"{name}-{at}-{number}", user=user, time=at, received=at, name=name)
        return record_of(at, (space, user), event)

    def _version(self, sequence: int, at: int, version: int) -> Publish:
        longer = FILES["remind.yaml"].replace("after: 1h", f"after: {version}h")
        note = FILES["messages/note.liquid"].replace("waits", f"has waited {version} h")
        project = load_project(FILES | {"remind.yaml": longer, "messages/note.liquid": note})
        return Publish(
            sequence=sequence,
            effective_at=at,
            flow="remind",
            version=version,
            text=project.flow_text("remind"),
            templates=project.template_texts("remind"),
            migrate=version == 2,
        )


class Everyone:
    """All users on one topic; with ``states``, each exports at the end all that is known about the user."""

    def __init__(
        self, *groups: Sample | RandomUsers | Waiting, end: int, states: bool = False
    ) -> None:
        self.users = [user for group in groups for user in group.users]
        self.end = end
        self.records = sorted(
            (record for group in groups for record in group.records),
            key=lambda record: record.receipt,
        )
        if states:
            self.records += [self._export(key) for key in self.users]
        logs = [group.logs._logs.items() for group in groups]
        self.logs = FixedLogs(dict(one for each in logs for one in each))

    def _export(self, key: Key) -> Published:
        command = Command(what="export", id=f"x-{key[1]}", user=key[1], time=self.end)
        return record_of(self.end, key, command)


def sample_users(count: int) -> Sample:
    """Return some users of the sample."""
    return Sample([event for group in chosen_users(count) for event in group])
