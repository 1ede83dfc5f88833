"""Users of the sample, and users with random flows and histories, whose states are read at the end."""

from __future__ import annotations

from collections.abc import Iterator

from tests.kit.random_users import Published, RandomUsers, record_of
from tests.kit.stream_sample import Sample, chosen_users
from transforms.flows.protocol.signals import Command
from transforms.hosting.catalogs import FixedLogs


class Everyone:
    """All of them on one topic; with ``states``, each exports all that is known about the user at the end."""

    def __init__(self, sample: int, random: int, *, states: bool = False) -> None:
        shop = Sample([event for group in chosen_users(sample) for event in group])
        others = RandomUsers(random)
        self.users = [*shop.users, *others.histories]
        self.end = others.end
        self.records = [*shop.records, *others.records]
        if states:
            self.records += [
                record_of(
                    self.end,
                    key,
                    Command(what="export", id=f"x-{key[1]}", user=key[1], time=self.end),
                )
                for key in self.users
            ]
        self.logs = FixedLogs(shop.logs._logs | others.logs._logs)

    def pieces(self) -> Iterator[list[Published]]:
        """Return the records in one batch."""
        yield self.records
