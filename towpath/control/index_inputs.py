"""Where the controller reads outputs: subscriptions of their topics, or the job's tables.

Messages are acknowledged, and files noted, once the index has them durably; so after a crash they
come again, and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec

from schemas.wire import WireError
from towpath.control.index import KINDS, Index
from transforms.flows.protocol.outputs import AnyOutput
from transforms.sinks.part_files import MERGED, Part, listing
from transforms.sinks.remote import Remote, place_of
from transforms.wire.extras import needs
from transforms.wire.messages import from_message
from transforms.wire.rows import from_row

AT_ONCE = 1000
FEW = 100
"""If a pull brings fewer messages, what is left can wait for the next round."""
RECENT = 60_000
"""How old messages may be, in ms, if the backlog of a subscription has been worked off."""
MOST = 20_000
"""How many rows or messages one reading takes at most, so that a controller with a backlog still
says until when the log is complete."""
EMPTY = 2
"""How often in a row a subscription must have no messages: the broker does not always find them."""
PAUSE = 20_000
"""How many ms pass between two looks at the manifests of tables: a row waits minutes for its file."""
SUBSCRIPTION = "projects/"


class Took(msgspec.Struct, frozen=True, gc=False):
    """The result of a reading: ``all`` there was, or only a part; ``bad`` could not be read."""

    outputs: int = 0
    bad: int = 0
    all: bool = True


class Unreadable(Exception):
    """Outputs cannot be read now; the text says where and why."""


class Input(Protocol):
    """A source of outputs."""

    def take(self, index: Index, now: int) -> Took:
        """Move new outputs into the index. Raises Unreadable; what was taken stays taken."""

    def close(self) -> None:
        """Close the connection."""


def input_of(address: str, space: str) -> Input:
    """Open a source: ``projects/P/subscriptions/S``, a folder, or an address of an object store."""
    if address.startswith(SUBSCRIPTION):
        return Topic(address, space)
    return Tables(address)


class Topic:
    """A subscription of a topic with outputs; messages of other spaces are acknowledged unread."""

    def __init__(self, subscription: str, space: str) -> None:
        with needs("pubsub"):
            from transforms.sources.pubsub.client import Subscriber

        self._name = subscription
        self._space = space
        self._subscriber = Subscriber(subscription, None)
        self._empty = 0

    def take(self, index: Index, now: int) -> Took:
        from transforms.sources.pubsub.client import Unanswered

        outputs, bad, recent = 0, 0, False
        try:
            while outputs + bad < MOST:
                received = self._subscriber.pull(AT_ONCE, wait=False)
                if not received:
                    self._empty += 1
                    return Took(outputs, bad, self._empty >= EMPTY)
                self._empty, found = 0, []
                for message in received:
                    if message.attributes.get("space", self._space) != self._space:
                        continue
                    try:
                        found.append(from_message(message.data, message.attributes))
                    except WireError:
                        bad += 1
                outputs += index.apply(found, now)
                self._subscriber.acknowledge([message.ack_id for message in received])
                recent = min(message.published for message in received) >= now - RECENT
                if len(received) < FEW:
                    break
        except Unanswered as error:
            raise Unreadable(f"{self._name}: {error}") from None
        return Took(outputs, bad, recent)

    def close(self) -> None:
        self._subscriber.close()


class Tables:
    """The folder of the job's Parquet tables; each file that a manifest lists is read once.

    A file that a compaction made of files that were read is not read.
    """

    def __init__(self, address: str) -> None:
        self._folder = place_of(address)
        self._next = 0

    def take(self, index: Index, now: int) -> Took:
        if now < self._next:
            return Took()
        try:
            return self._take(index, now)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise Unreadable(f"{self._folder}: {error}") from None

    def _take(self, index: Index, now: int) -> Took:
        known = index.files()
        listed, replaced = self._listed()
        # A compaction moved rows; those of files that were read before are not read again.
        unread = replaced - known.keys()
        behind = {_folder_of(path) for path in unread}
        outputs, bad, every = 0, 0, True
        for path, (kind, part) in listed.items():
            if known.get(path) == part.hash:
                continue
            if f"/{MERGED}" in path and _folder_of(path) not in behind:
                index.apply((), now, {path: part.hash})
                continue
            if outputs + bad >= MOST:
                every = False
                break
            place = self._folder / kind / part.path
            try:
                found = list(_rows(place, kind))
            except FileNotFoundError:  # compacted since: the next manifest has its rows
                every = False
                continue
            good = [row for row in found if row is not None]
            outputs += index.apply(good, now, {path: part.hash})
            bad += len(found) - len(good)
        if every and unread:
            index.apply((), now, dict.fromkeys(unread, ""))
        index.keep_files([*listed, *replaced])
        self._next = now + PAUSE if every else now
        return Took(outputs, bad, every)

    def _listed(self) -> tuple[dict[str, tuple[str, Part]], set[str]]:
        """Return the listed files with their kinds, and the names of replaced ones."""
        listed, replaced = dict[str, tuple[str, Part]](), set[str]()
        for kind in KINDS:
            found = listing(kind, self._folder)
            listed |= {f"{kind}/{part.path}": (kind, part) for part in found.parts}
            replaced |= {f"{kind}/{path}" for path in found.replaced}
        return listed, replaced

    def close(self) -> None:
        pass


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _rows(place: Path | Remote, kind: str) -> Iterator[AnyOutput | None]:
    """Read the outputs of a file; None for a row that does not fit its kind."""
    from transforms.sinks import parquet

    for row in parquet.rows_of(place):
        try:
            yield cast(AnyOutput, from_row(kind, row))
        except msgspec.ValidationError:
            yield None


def take_all(
    inputs: Sequence[Input], index: Index, now: int, on_error: Callable[[Unreadable], Any]
) -> Took:
    """Read every source; one that cannot be read does not keep the others from it."""
    outputs, bad, every = 0, 0, True
    for each in inputs:
        try:
            took = each.take(index, now)
        except Unreadable as error:
            on_error(error)
            every = False
        else:
            outputs, bad, every = outputs + took.outputs, bad + took.bad, every and took.all
    return Took(outputs, bad, every)
