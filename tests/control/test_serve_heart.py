"""The heartbeat: until when the log is complete, and that there is one controller."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control.outputs_of import START, WAITS, log_of
from tests.kit.gcs_server import GcsServer
from tests.kit.redis_server import SERVERS, RedisServer
from towpath.control.serve_heart import BEAT, SILENT, STALLED, Heart, Refused, claim
from towpath.control.store import AHEAD, ControlStore, Held, store_of
from transforms.flows.protocol.control_records import ControlRecord, Drain
from transforms.sources.control_log.log import LogError

SILENT_MS = round(SILENT * BEAT * 1000)


class Clock:
    """A clock that stands still until ``pause`` moves it; ``then`` happens at each pause."""

    def __init__(self) -> None:
        self.now = START
        self.then = lambda: None

    def __call__(self) -> int:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += round(seconds * 1000)
        self.then()


@pytest.fixture(params=["file", "gs", *list(SERVERS)[:1]])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ControlStore]:
    """A log with a flow, in each kind of store."""
    match request.param:
        case "file":
            yield _filled(str(tmp_path / "control.jsonl"))
        case "gs":
            with GcsServer() as bucket:
                monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.address)
                yield _filled("gs://logs/shop/control")
        case kind:
            with RedisServer(kind) as server:
                yield _filled(f"{server.url}?space=shop")


def _filled(address: str) -> ControlStore:
    made = store_of(address)
    made.append(made.read(), log_of({"waits": WAITS}))
    return made


def heart_of(store: ControlStore, clock: Clock) -> Heart:
    return Heart(store, claim(store, clock, clock.pause), clock)


def test_the_log_is_complete_until_a_moment_ahead(store: ControlStore) -> None:
    """Each beat declares the time and a margin; records of other writers do not disturb it."""
    clock = Clock()
    heart = heart_of(store, clock)
    heart.beat()
    store.append(store.read(), [_later(store)])
    clock.now += 1000
    heart.beat()

    assert store.read().complete_until == START + 1000 + AHEAD == heart.complete_until
    assert (heart.lost, heart.trouble) == (None, None)


def _later(store: ControlStore) -> ControlRecord:
    sequence = store.read().next_sequence
    return Drain(sequence=sequence, effective_at=START + 10**9, flow="waits")


def test_a_second_controller_is_refused(store: ControlStore) -> None:
    """While the first one lives, the second one does not start."""
    clock = Clock()
    first = heart_of(store, clock)
    first.beat()
    clock.then = first.beat

    with pytest.raises(Refused, match="another controller"):
        claim(store, clock, clock.pause)

    assert first.lost is None


def test_a_controller_that_was_killed_is_replaced_after_seconds(store: ControlStore) -> None:
    """The next one waits until it is sure; a log that is long silent is served at once."""
    clock = Clock()
    heart_of(store, clock).beat()
    heart_of(store, clock)
    waited = clock.now - START
    clock.now += SILENT_MS
    before = clock.now
    heart_of(store, clock)

    assert 0 < waited <= SILENT_MS
    assert clock.now == before


def test_a_controller_that_was_replaced_ends(store: ControlStore) -> None:
    """One that hung, and then goes on, notices the other and declares nothing."""
    clock = Clock()
    hung = heart_of(store, clock)
    hung.beat()
    clock.now += 2 * SILENT_MS
    heart_of(store, clock).beat()
    clock.now += 1000
    until = store.read().complete_until
    hung.beat()

    assert hung.lost == "another controller serves this log"
    assert store.read().complete_until == until


def test_a_log_that_is_complete_forever_is_refused(tmp_path: Path) -> None:
    """Nothing could ever be added to it; the message says what to do."""
    filled = _filled(str(tmp_path / "control.jsonl"))
    (tmp_path / "control.jsonl.complete").unlink()

    with pytest.raises(Refused, match=r"write 0 to the file with its name and \.complete"):
        claim(filled, Clock(), Clock().pause)


def test_a_controller_that_decides_nothing_stops_the_heart(store: ControlStore) -> None:
    """Its fault must be seen: the log is not complete any more, which is an alert."""
    clock = Clock()
    heart = heart_of(store, clock)
    heart.beat()
    until = store.read().complete_until
    clock.now += STALLED + 1
    heart.beat()
    assert store.read().complete_until == until
    assert heart.trouble is not None
    heart.seen()
    heart.beat()

    assert store.read().complete_until > until
    assert heart.trouble is None


@pytest.mark.parametrize("written", [True, False])
def test_an_answer_that_was_lost_is_no_other_controller(
    store: ControlStore, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    """After an error the instant may be written or not; the next beat goes on from it."""
    clock = Clock()
    heart = heart_of(store, clock)
    complete = store.complete

    def fail(held: Held, until: int) -> Held:
        if written:
            complete(held, until)
        raise LogError("the store does not answer")

    monkeypatch.setattr(store, "complete", fail)
    heart.beat()
    assert heart.trouble == "the store does not answer"
    monkeypatch.setattr(store, "complete", complete)
    clock.now += 1000
    heart.beat()

    assert (heart.lost, heart.trouble) == (None, None)
    assert store.read().complete_until == START + 1000 + AHEAD
