"""Topics and subscriptions of a broker as plain state, with time as an argument."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import msgspec

from tests.kit.pubsub_faults import Faults
from tests.kit.pubsub_subscription import Delivery, Message, Subscription

NAME = re.compile(r"projects/[^/]+/(topics|subscriptions)/[A-Za-z][A-Za-z0-9._~+%-]{2,254}")
TERM = re.compile(r'\s*attributes\.([A-Za-z_][A-Za-z0-9_-]*|"[^"]+")\s*=\s*"([^"]*)"\s*')
ACK_SECONDS = (10, 600)


class Refused(Exception):
    """A refused call: the name of a gRPC status code, and why."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class Made(msgspec.Struct, frozen=True, gc=False):
    """A subscription as it was created."""

    name: str
    topic: str
    ack_seconds: int
    ordered: bool
    filter: str


class Broker:
    """All topics and subscriptions; not thread-safe, so callers hold a lock."""

    def __init__(self, faults: Faults | None = None) -> None:
        self._faults = faults or Faults()
        self._topics: dict[str, list[str]] = {}
        self._made: dict[str, Made] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._wanted: dict[str, Callable[[dict[str, str]], bool]] = {}
        self._published = 0

    @property
    def faults(self) -> Faults:
        """The faults that are on."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        for subscription in self._subscriptions.values():
            subscription.faults = faults

    def create_topic(self, name: str) -> None:
        """Create a topic."""
        _check_name(name, "topics")
        if name in self._topics:
            raise Refused("ALREADY_EXISTS", f"there is a topic {name}")
        self._topics[name] = []

    def check_topic(self, name: str) -> None:
        """Refuse a topic that does not exist."""
        if name not in self._topics:
            raise Refused("NOT_FOUND", f"there is no topic {name}")

    def topics(self, project: str) -> list[str]:
        """Return the names of the topics of ``projects/<project>``."""
        return sorted(name for name in self._topics if name.startswith(f"{project}/topics/"))

    def delete_topic(self, name: str) -> None:
        """Delete a topic; its subscriptions stay and get nothing more."""
        self.check_topic(name)
        for subscription in self._topics.pop(name):
            self._made[subscription] = msgspec.structs.replace(
                self._made[subscription], topic="_deleted-topic_"
            )

    def create_subscription(self, made: Made) -> Made:
        """Create a subscription; an ack deadline of 0 means 10 s."""
        _check_name(made.name, "subscriptions")
        self.check_topic(made.topic)
        if made.name in self._made:
            raise Refused("ALREADY_EXISTS", f"there is a subscription {made.name}")
        seconds = made.ack_seconds or ACK_SECONDS[0]
        if not ACK_SECONDS[0] <= seconds <= ACK_SECONDS[1]:
            raise Refused("INVALID_ARGUMENT", "the ack deadline is 10 to 600 seconds")
        made = msgspec.structs.replace(made, ack_seconds=seconds)
        self._wanted[made.name] = wanted(made.filter)
        self._made[made.name] = made
        subscription = Subscription(seconds * 1000, ordered=made.ordered)
        subscription.faults = self._faults
        self._subscriptions[made.name] = subscription
        self._topics[made.topic].append(made.name)
        return made

    def made(self, name: str) -> Made:
        """Return a subscription's settings."""
        if name not in self._made:
            raise Refused("NOT_FOUND", f"there is no subscription {name}")
        return self._made[name]

    def delete_subscription(self, name: str) -> None:
        """Delete a subscription and its messages."""
        made = self.made(name)
        if made.topic in self._topics:
            self._topics[made.topic].remove(name)
        del self._made[name], self._subscriptions[name], self._wanted[name]

    def publish(self, topic: str, messages: Iterable[Message], now: int) -> list[str]:
        """Publish messages, give each the next id and ``now`` as its time, and return the ids."""
        self.check_topic(topic)
        ids = []
        for message in messages:
            if not (message.data or message.attributes):
                raise Refused("INVALID_ARGUMENT", "a message has data or attributes")
            self._published += 1
            ids.append(str(self._published))
            taken = msgspec.structs.replace(message, message_id=ids[-1], published=now)
            for name in self._topics[topic]:
                if self._wanted[name](taken.attributes):
                    self._subscriptions[name].add(taken, now)
        return ids

    def subscription(self, name: str) -> Subscription:
        """Return a subscription's state."""
        self.made(name)
        return self._subscriptions[name]

    def pull(self, name: str, limit: int, now: int, consumer: str = "") -> list[Delivery]:
        """Deliver up to ``limit`` messages of a subscription."""
        if limit <= 0:
            raise Refused("INVALID_ARGUMENT", "max_messages is at least 1")
        return self.subscription(name).pull(limit, now, consumer)


def wanted(text: str) -> Callable[[dict[str, str]], bool]:
    """Compile a filter: equalities of attributes joined with AND; anything else is refused."""
    if not text:
        return lambda attributes: True
    pairs = []
    for term in text.split(" AND "):
        match = TERM.fullmatch(term)
        if match is None:
            known = 'this server knows filters like: attributes.kind = "a" AND attributes.x = "b"'
            raise Refused("INVALID_ARGUMENT", f"{known}; it cannot read: {term.strip()}")
        pairs.append((match[1].strip('"'), match[2]))
    return lambda attributes: all(attributes.get(key) == value for key, value in pairs)


def _check_name(name: str, kind: str) -> None:
    match = NAME.fullmatch(name)
    if match is None or match[1] != kind:
        raise Refused("INVALID_ARGUMENT", f"a name looks like projects/p/{kind}/abc, not {name}")
