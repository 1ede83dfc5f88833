"""The controller with a job on Pub/Sub: outputs come by a topic, wakes go to one that the job reads.

The job is the loop that every host runs, over the real clients; the clock is set by the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control.outputs_of import HOUR, MINUTE, START, WAITS, event, log_of
from tests.control.rig import Rig
from tests.kit.pubsub_servers import World, ordered_world
from towpath.control.decide import SETTLED
from towpath.control.file_store import FileStore
from towpath.control.index import Index
from towpath.control.index_inputs import RECENT, Input, Topic, Unreadable
from towpath.control.serve_signals import SignalTopic, signals_to
from transforms.flows.catalog.control_log import catalog_of
from transforms.flows.protocol.control_records import Drain, Finish, Pause, Resume, Start
from transforms.flows.protocol.outputs import AnyOutput, Transition
from transforms.flows.protocol.signals import ProfileChange
from transforms.hosting.allowed import Source
from transforms.hosting.catalogs import Known, known
from transforms.hosting.receive import Accepted, Key, receive
from transforms.hosting.run import Stepper
from transforms.hosting.settings import Settings, system_clock
from transforms.hosting.taken import Taken
from transforms.sinks.pubsub import open_sink
from transforms.wire.messages import to_envelope

TAGGED = "flow: tagged\nenter: [{tag: vip, when: launch}]\nsteps: {pause: {wait: 2h}}\n"


class Log:
    """The control log of the space, read whenever the job asks."""

    spaces = frozenset({"shop"})

    def __init__(self, store: FileStore) -> None:
        self._store = store

    def of(self, space: str) -> Known:
        held = self._store.read()
        return known(catalog_of(held.records, held.complete_until))


class Job:
    """A job with its states in memory: reads the topic of events and wakes, publishes transitions."""

    def __init__(self, world: World, store: FileStore) -> None:
        self._world = world
        self._log = Log(store)
        self._stepper = Stepper(self._log, Settings())
        self._states: dict[Key, bytes | None] = {}
        self.alarms: dict[Key, int | None] = {}
        self._sink = open_sink(f"{world.project}/topics/")
        self.rows: list[AnyOutput] = []
        self.wakes = 0

    def work(self, now: int) -> None:
        """Handle all messages that are there, as received at an instant; no alarm fires."""
        source = Source("events", frozenset({"command"}))
        while received := self._world.pull():
            for message in received:
                data, attributes = message.message.data, dict(message.message.attributes)
                found = receive(self._log, data, attributes, now, space="shop", source=source)
                assert isinstance(found, Accepted), found
                self.wakes += type(found.signal).__name__ == "Command"
                taken = self._stepper.take(found.key, self._states.get(found.key), found.signal)
                assert isinstance(taken, Taken)
                self._states[found.key], self.alarms[found.key] = taken.state, taken.alarm
                self._publish(list(taken.outputs))
            self._world.acknowledge(*received)

    def _publish(self, rows: list[AnyOutput]) -> None:
        self.rows += rows
        self._sink.write([("shop", row) for row in rows if isinstance(row, Transition)])
        self._sink.flush()

    def close(self) -> None:
        self._sink.close()


class PubSubRig(Rig):
    """A controller that reads a subscription and publishes to the topic of events."""

    def __init__(self, folder: Path, world: World, subscription: str) -> None:
        self._subscription = subscription
        super().__init__(folder, SignalTopic(world.topic))  # type: ignore[arg-type]

    def _inputs(self, space: str) -> list[Input]:
        return [Topic(self._subscription, space)]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with ordered_world(monkeypatch) as made:
        yield made


@pytest.fixture
def subscription(world: World) -> str:
    """A subscription of the topic of transitions."""
    topic = f"{world.project}/topics/transition"
    world.publisher.create_topic(name=topic)
    path = f"{world.project}/subscriptions/controller"
    world.subscriber.create_subscription(
        request={"name": path, "topic": topic, "enable_message_ordering": True}
    )
    return path


def test_a_resume_wakes_a_waiting_user_who_then_leaves_and_the_flow_is_finished(
    tmp_path: Path, world: World, subscription: str
) -> None:
    """R26, R29: paused over its wait, resumed, woken at once, drained, finished; by records only."""
    rig = PubSubRig(tmp_path, world, subscription)
    rig.append(*log_of({"waits": WAITS}))
    rig.tick(START)  # the index knows of all sessions, since it begins with the launch
    job = Job(world, rig.store)
    entry = event("ann", "Begun", START + MINUTE)
    world.publish(to_envelope(entry).decode(), key="ann", space="shop")
    rig.tick(START + 2 * MINUTE)
    job.work(START + MINUTE)
    rig.tick(START + 3 * MINUTE)
    assert rig.index.sessions_of("waits") == {(1, "pause"): 1}

    pause, resume = START + HOUR, START + 5 * HOUR
    rig.append(
        Pause(sequence=0, effective_at=pause, flow="waits"),
        Resume(sequence=0, effective_at=resume, flow="waits"),
        Drain(sequence=0, effective_at=resume + MINUTE, flow="waits"),
    )
    rig.tick(resume - MINUTE)
    job.work(resume - MINUTE)
    assert job.wakes == 0
    assert [row.what for row in job.rows if isinstance(row, Transition)][-1] == "waiting"

    soon = resume + 11_000 + 1_000
    rig.tick(soon)
    job.work(soon)
    assert job.wakes == 1
    last = [row for row in job.rows if isinstance(row, Transition)][-1]
    assert (last.what, last.at) == ("ended", resume)

    rig.tick(soon + MINUTE)
    assert rig.index.sessions_of("waits") == {}
    assert rig.records() == []
    rig.tick(resume + MINUTE + SETTLED - 1)
    assert rig.records() == []
    rig.tick(resume + MINUTE + SETTLED)
    (record,) = rig.records()
    assert isinstance(record, Finish)
    assert rig.lines[-1]["event"] == "appended"
    job.close()
    rig.controller.close()


def test_a_launch_enters_a_known_user_with_the_tag_at_once(
    tmp_path: Path, world: World, subscription: str
) -> None:
    """R22: the start of a flow enters a user who sends nothing, at its instant, and only once."""
    rig = PubSubRig(tmp_path, world, subscription)
    log = log_of({"waits": WAITS, "tagged": TAGGED})
    rig.append(*(r for r in log if not (isinstance(r, Start) and r.flow == "tagged")))
    rig.tick(START)
    job = Job(world, rig.store)
    tagged = ProfileChange(id="t", user="ann", time=START + MINUTE, tag=("vip",))
    for signal in (tagged, event("ann", "Begun", START + MINUTE), event("bob", "Begun", START)):
        world.publish(to_envelope(signal).decode(), key=signal.user, space="shop")
    rig.tick(START + 2 * MINUTE)
    job.work(START + MINUTE)
    launch = START + HOUR
    rig.append(Start(sequence=0, effective_at=launch, flow="tagged"))
    rig.tick(launch - MINUTE)
    for n in range(5):
        rig.tick(launch + 12_000 + n * 1000)
        job.work(launch + 12_000 + n * 1000)

    moves = [row for row in job.rows if isinstance(row, Transition) and row.flow == "tagged"]
    assert job.wakes == 2
    assert [(m.user, m.at) for m in moves if m.what == "entered"] == [("ann", launch)]
    job.close()
    rig.controller.close()


def test_messages_are_acknowledged_once_the_index_has_them(
    tmp_path: Path, world: World, subscription: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A controller that dies before the acknowledgement reads them again, to no effect."""
    store = FileStore(str(tmp_path / "control.jsonl"))
    store.append(store.read(), log_of({"waits": WAITS}))
    store.complete(store.read(), START + HOUR)
    job = Job(world, store)
    entry = event("ann", "Begun", START + MINUTE)
    world.publish(to_envelope(entry).decode(), key="ann", space="shop")
    job.work(START + MINUTE)
    topic = Topic(subscription, "shop")
    with Index(tmp_path / "index.db") as index:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(topic._subscriber, "acknowledge", die)
        with pytest.raises(KeyboardInterrupt):
            topic.take(index, START)
        assert index.sessions_of("waits") == {(1, "pause"): 1}
        left = world.pull(subscription=subscription)
        assert left == []  # still leased
        topic.close()
        again = Topic(subscription, "shop")
        assert not again.take(index, START).all
        assert again.take(index, START).all

    job.close()
    again.close()


def test_a_backlog_is_not_all_there_is(tmp_path: Path, world: World, subscription: str) -> None:
    """Old messages say that more may follow; recent ones, or none twice, that all was read."""
    topic = f"{world.project}/topics/transition"
    one = Topic(subscription, "shop")
    with Index(tmp_path / "index.db") as index:
        found = []
        for age in (RECENT + MINUTE, 0):
            world.publisher.publish(topic, b"{}", space="bank").result(30)
            found.append(one.take(index, system_clock() + age).all)
        found += [one.take(index, START).all for _ in range(2)]

    assert found == [False, True, False, True]
    one.close()


def test_messages_of_other_spaces_and_unreadable_ones_are_passed_over(
    tmp_path: Path, world: World, subscription: str
) -> None:
    """They are acknowledged; those that no version can read are counted."""
    topic = f"{world.project}/topics/transition"
    for data, attributes in ((b"{}", {"space": "bank"}), (b"{", {"schema": "transition"})):
        world.publisher.publish(topic, data, **attributes).result(30)
    one = Topic(subscription, "shop")
    with Index(tmp_path / "index.db") as index:
        took = one.take(index, START)

        assert (took.outputs, took.bad) == (0, 1)
        assert index.users() == 0
    assert world.pull(subscription=subscription) == []
    one.close()


def test_a_subscription_that_does_not_exist_is_reported(tmp_path: Path, world: World) -> None:
    """The message names the subscription."""
    one = Topic(f"{world.project}/subscriptions/none", "shop")

    with Index(tmp_path / "index.db") as index, pytest.raises(Unreadable, match="/none: "):
        one.take(index, START)

    one.close()


def test_a_wake_of_a_topic_has_its_id_and_its_space(world: World) -> None:
    """R30: consumers recognize a repetition; the space is that of the log."""
    signals = signals_to(world.topic, "sent")
    from towpath.control.decide_wakes import signal_of
    from towpath.control.index import Wake

    signal = signal_of("shop", Wake(START, "waits"), "ann")
    signals.publish("shop", [signal])
    signals.close()
    (received,) = world.pull_all(1)

    assert received.message.attributes["id"] == signal.id
    assert received.message.attributes["space"] == "shop"
    assert received.message.attributes["sent"].isdecimal()
    assert received.message.ordering_key == "ann"
