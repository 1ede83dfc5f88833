"""The control log as its writers see it: the same promises of every store."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.gcs_server import GcsServer
from tests.kit.redis_server import SERVERS, RedisServer
from towpath.control.store import Conflict, ControlStore, Held, Late, store_of
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.protocol.control_records import (
    ControlRecord,
    Drain,
    Publish,
    Start,
    encode_line,
)
from transforms.hosting.control_follower import ControlFollower
from transforms.sources.control_log.gcs import GcsLog
from transforms.sources.control_log.log import NOTHING, LogError, Read, log_of
from transforms.sources.control_log.redis import open_log

FLOW = "flow: welcome\nenter: [{event: Signed Up}]\nsteps: {a: {wait: 1h}}\n"
RECORDS: list[ControlRecord] = [
    Publish(sequence=0, effective_at=10, flow="welcome", version=1, text=FLOW),
    Start(sequence=1, effective_at=20, flow="welcome", by="kim", made_at=5, note="now"),
    Drain(sequence=2, effective_at=2_000, flow="welcome"),
]


@pytest.fixture(params=["file", "gs", *SERVERS])
def address(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Name a log that does not exist yet, in each kind of store."""
    match request.param:
        case "file":
            yield str(tmp_path / "control.jsonl")
        case "gs":
            with GcsServer() as bucket:
                monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.address)
                yield "gs://logs/shop/control"
        case kind:
            with RedisServer(kind) as server:
                yield f"{server.url}?space=shop"


@pytest.fixture
def store(address: str) -> ControlStore:
    """Open the log for writing."""
    return store_of(address)


def test_a_new_log_is_empty_and_not_complete(store: ControlStore) -> None:
    """A log that does not exist is read as empty and complete at no instant."""
    assert store.read() == Held((), NOTHING, store.read().token)
    assert store.read().next_sequence == 0


def test_readers_see_what_was_appended(store: ControlStore, address: str) -> None:
    """What a writer appended and declared complete is what a worker reads, new records only."""
    held = store.append(store.read(), RECORDS[:2])
    assert held == store.read()
    reader = log_of(address)
    assert reader.read_since(None) == Read(tuple(RECORDS[:2]), NOTHING)
    held = store.complete(held, 1_000)
    assert held.complete_until == 1_000
    assert held.next_sequence == 2
    assert store.append(held, RECORDS[2:]) == store.read()
    assert reader.read_since(1) == Read((RECORDS[2],), 1_000)
    assert log_of(address).read_since(None) == Read(tuple(RECORDS), 1_000)


def test_a_writer_that_was_slower_is_refused(store: ControlStore, address: str) -> None:
    """Of two writers that read the same log, the second is refused and writes nothing."""
    mine, theirs = store.read(), store_of(address).read()
    store.append(mine, RECORDS[:2])

    other = Start(sequence=0, effective_at=50, flow="welcome")
    with pytest.raises(Conflict):
        store_of(address).append(theirs, [other])
    assert store.read().records == tuple(RECORDS[:2])


def test_completing_does_not_refuse_a_record(store: ControlStore, address: str) -> None:
    """The controller completes the log every second: a command is refused only if it is late."""
    held = store.append(store.read(), RECORDS[:2])
    store_of(address).complete(held, 1_000)

    assert store.append(held, RECORDS[2:]).complete_until == 1_000
    assert store_of(address).complete(store.read(), 1_500).records == tuple(RECORDS)


def test_appending_does_not_refuse_an_instant(store: ControlStore, address: str) -> None:
    """A command that appends does not get in the way of the controller."""
    held = store.complete(store.read(), 5)
    store_of(address).append(held, RECORDS)

    assert store.complete(held, 1_000) == store.read()
    assert store.read().records == tuple(RECORDS)


def test_two_controllers_are_refused(store: ControlStore, address: str) -> None:
    """A second writer that declares the log complete is refused."""
    held = store.append(store.read(), RECORDS)
    store_of(address).complete(held, 1_000)

    with pytest.raises(Conflict):
        store.complete(held, 1_500)
    assert store.read().complete_until == 1_000


def test_the_instant_never_goes_back(store: ControlStore) -> None:
    """An earlier instant than before changes nothing."""
    held = store.complete(store.append(store.read(), RECORDS), 1_000)

    assert store.complete(held, 900) == held


@pytest.mark.parametrize("at", [900, 1_000])
def test_a_late_record_is_refused(store: ControlStore, at: int) -> None:
    """A record that is effective until the instant of completeness is refused with all others."""
    held = store.append(store.read(), RECORDS[:2])
    store.complete(held, 1_000)

    late = Start(sequence=3, effective_at=at, flow="welcome")
    with pytest.raises(Late, match=f"record 3 is effective at {at}.*complete until 1000"):
        store.append(held, [RECORDS[2], late])
    assert store.read().records == tuple(RECORDS[:2])


def test_sequences_grow(store: ControlStore) -> None:
    """A sequence that does not follow the last is an error of the caller."""
    held = store.append(store.read(), RECORDS)

    with pytest.raises(ValueError, match="sequence 2 does not follow 2"):
        store.append(held, [RECORDS[2]])


def test_many_writers_at_once_lose_nothing(store: ControlStore, address: str) -> None:
    """Writers and a controller at once: all records are there once, in order, and none is late."""
    until, done = 0, threading.Event()
    wrong: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                wrong.append(error)

        return threading.Thread(target=run)

    def write(name: str) -> None:
        mine, count = store_of(address), 0
        while count < 5:
            held = mine.read()
            at = max(held.complete_until, 20) + 50
            record = Start(sequence=held.next_sequence, effective_at=at, flow="welcome", by=name)
            try:
                mine.append(held, [record])
                count += 1
            except (Conflict, Late):
                pass

    def complete() -> None:
        nonlocal until
        mine = store_of(address)
        while not done.is_set():
            until += 3
            mine.complete(mine.read(), until)

    store.append(store.read(), RECORDS[:1])
    writers = [guarded(lambda name=name: write(name)) for name in ("a", "b", "c")]
    controller = guarded(complete)
    for thread in (*writers, controller):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    controller.join()

    held = store.read()
    assert wrong == []
    assert [r.sequence for r in held.records] == list(range(16))
    assert sorted(r.by or "" for r in held.records[1:]) == sorted("abc" * 5)
    follower = ControlFollower(log_of(address))
    assert follower.refresh().complete_until == held.complete_until
    assert follower.trouble is None


def test_an_unknown_scheme_cannot_be_written() -> None:
    """An address that no store writes is refused with those that can be written."""
    with pytest.raises(ValueError, match='"s3://"; supported: file://'):
        store_of("s3://bucket/control")


@pytest.mark.parametrize(
    ("module", "address", "extra"),
    [("redis", "redis://x?space=s", "redis"), ("google.cloud.storage", "gs://b/log", "pubsub")],
)
def test_a_missing_package_is_named_with_its_extra(module: str, address: str, extra: str) -> None:
    """A command whose client is missing says what to install."""
    code = f"import sys; sys.modules[{module!r}] = None; from towpath.cli.main import main; "
    code += f"sys.exit(main(['flows', 'list', '--control', {address!r}]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 2
    assert done.stderr.endswith(f"pip install 'towpath[{extra}]'\n")


def test_a_file_without_an_instant_is_closed(tmp_path: Path) -> None:
    """Readers take a file without an instant as complete forever, so nothing can be added."""
    path = tmp_path / "control.jsonl"
    path.write_bytes(b"")
    store = store_of(f"file://{path}")

    assert store.read().complete_until == NEVER
    with pytest.raises(Late, match="nothing can be added"):
        store.append(store.read(), RECORDS)
    path.with_name("control.jsonl.complete").write_text("-1")
    assert store.append(store.read(), RECORDS).records == tuple(RECORDS)


def test_a_new_file_is_never_complete_forever(tmp_path: Path) -> None:
    """The instant is written before the file, and is kept if the file was lost."""
    path = tmp_path / "control.jsonl"
    path.with_name("control.jsonl.complete").write_text("15")
    store = store_of(str(path))

    with pytest.raises(Late, match="complete until 15"):
        store.append(store.read(), RECORDS)
    assert not path.exists()


@pytest.mark.parametrize("rest", ['{"is": "start", "sequ', '{"is": "drain"'])
def test_half_a_line_is_overwritten(tmp_path: Path, rest: str) -> None:
    """Half a line that an interrupted writer left is overwritten; readers ignore it meanwhile."""
    path = tmp_path / "control.jsonl"
    store = store_of(str(path))
    held = store.append(store.read(), RECORDS[:2])
    with path.open("a") as file:
        file.write(rest)

    assert store.read() == held
    assert store.append(held, RECORDS[2:]).records == tuple(RECORDS)


def test_a_last_line_without_an_end_is_kept(tmp_path: Path) -> None:
    """A record that an editor left without the end of its line is kept."""
    path = tmp_path / "control.jsonl"
    store = store_of(str(path))
    store.append(store.read(), RECORDS[:2])
    path.write_bytes(path.read_bytes().rstrip(b"\n"))

    assert store.append(store.read(), RECORDS[2:]).records == tuple(RECORDS)


def test_reading_leaves_no_file_behind(tmp_path: Path) -> None:
    """A log that is only looked at, also one that does not exist, leaves no lock behind."""
    assert store_of(str(tmp_path / "control.jsonl")).read() == Held()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder that does not exist is an error of the log, with its name."""
    with pytest.raises(LogError, match=r"nowhere.*no such file"):
        store_of(str(tmp_path / "nowhere" / "control.jsonl")).append(Held(), RECORDS)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    """Start a server with an empty bucket."""
    with GcsServer() as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
        yield server


BUCKET = "gs://logs/shop/control"


def test_a_lost_answer_changes_nothing_twice(bucket: GcsServer) -> None:
    """A writer whose change arrived, but not its answer, repeats it and is not refused."""
    store = store_of(BUCKET)
    bucket.lost_answers = 2  # of the segment and of the head
    held = store.append(store.read(), RECORDS)
    bucket.lost_answers = 1

    assert store.complete(held, 1_000) == Held(tuple(RECORDS), 1_000, held.token)
    assert store.read() == Held(tuple(RECORDS), 1_000, held.token)


def test_readers_of_a_bucket_read_what_is_new(bucket: GcsServer) -> None:
    """Each poll reads the head, and only the segments that have come since."""
    store, held = store_of(BUCKET), Held()
    for record in RECORDS:
        held = store.append(held, [record])
    reader = log_of(BUCKET)
    before = bucket.downloads

    assert reader.read_since(2) == Read((), NOTHING)
    assert bucket.downloads - before == 1
    assert reader.read_since(1) == Read((RECORDS[2],), NOTHING)
    assert bucket.downloads - before == 3


def test_a_segment_counts_once_the_head_names_it(bucket: GcsServer) -> None:
    """What a writer left that died before it replaced the head is not in the log."""
    store = store_of(BUCKET)
    held = store.append(store.read(), RECORDS[:1])
    GcsLog(BUCKET).write([Start(sequence=1, effective_at=20, flow="welcome", by="the dead")])

    assert store.read() == held
    assert store.append(held, RECORDS[1:]).records == tuple(RECORDS)
    assert log_of(BUCKET).read_since(None).records == tuple(RECORDS)


def test_many_segments_become_one(bucket: GcsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head stays small: many segments are merged, and readers go on where they were."""
    monkeypatch.setattr("towpath.control.gcs_store.MOST_SEGMENTS", 3)
    store, held = store_of(BUCKET), Held()
    for sequence in range(8):
        record = Start(sequence=sequence, effective_at=sequence + 10, flow="welcome")
        held = store.append(held, [record])
        assert held == store.read()
        assert log_of(BUCKET).read_since(sequence - 1).records == (record,)

    assert [r.sequence for r in log_of(BUCKET).read_since(None).records] == list(range(8))
    assert len(GcsLog(BUCKET).head()[0].segments) <= 3


def test_a_log_in_one_object_is_only_read(bucket: GcsServer) -> None:
    """A log that another program wrote as one object is read, but not appended to."""
    lines = b"".join(encode_line(record) + b"\n" for record in RECORDS)
    bucket.objects["logs/shop/control"] = lines, 1
    bucket.objects["logs/shop/control.complete"] = b"1000", 2

    assert log_of(BUCKET).read_since(1) == Read((RECORDS[2],), 1_000)
    with pytest.raises(LogError, match="is one object: nothing can be appended"):
        store_of(BUCKET).read()


def test_a_missing_log_in_a_bucket_is_reported(bucket: GcsServer) -> None:
    """A worker whose log does not exist yet says so; a bucket that does not answer, too."""
    with pytest.raises(LogError, match="there is no control log"):
        log_of(BUCKET).read_since(None)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_repeated_call_of_redis_changes_nothing(kind: str) -> None:
    """A writer that does not know whether its call arrived may repeat it."""
    with RedisServer(kind) as server:
        log = open_log(f"{server.url}?space=shop")
        for _ in range(2):
            assert log.append(None, RECORDS[:2]) == "written"
        for _ in range(2):
            assert log.append(1, RECORDS[2:]) == "written"
            assert log.complete(NOTHING, 1_000) == "written"

        assert log.read_since(None) == Read(tuple(RECORDS), 1_000)
        assert log.append(1, [Start(sequence=2, effective_at=9_000, flow="x")]) == "conflict"
        assert log.append(0, RECORDS[1:2]) == "conflict"


def test_a_first_writer_in_the_middle_of_a_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log in a file that is begun while it is read is not taken for one that is complete forever."""
    log, exists = tmp_path / "control.jsonl", Path.exists
    store = store_of(str(log))

    def begun(path: Path) -> bool:
        found = exists(path)
        if path.suffix == ".complete" and not found:
            monkeypatch.undo()
            store.append(store.read(), RECORDS[:1])
        return found

    monkeypatch.setattr(Path, "exists", begun)
    held = store.read()

    assert held.records == (RECORDS[0],)
    assert held.complete_until < NEVER
