"""The control log from a file, an object and Redis, and the catalog that follows it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.gcs_server import GcsServer
from tests.kit.redis_server import SERVERS, RedisServer
from tests.kit.timeouts import PATIENCE
from towpath.control.store import store_of
from transforms.flows.catalog.epochs import NEVER
from transforms.flows.engine.step import Behind, step
from transforms.flows.protocol.control_records import (
    ControlRecord,
    Drain,
    Publish,
    Start,
    encode_line,
)
from transforms.flows.protocol.signals import Event
from transforms.hosting.control_follower import ControlFollower
from transforms.redis_client import connect
from transforms.sources.control_log.log import (
    NOTHING,
    ControlLog,
    LogError,
    Read,
    TextLog,
    file_log,
    log_of,
    object_log,
)
from transforms.sources.control_log.redis import RedisLog

FLOW = "flow: welcome\nenter: [{event: Signed Up}]\nsteps: {a: {wait: 1h}}\n"
RECORDS: list[ControlRecord] = [
    Publish(sequence=0, effective_at=0, flow="welcome", version=1, text=FLOW),
    Start(sequence=1, effective_at=10, flow="welcome"),
    Drain(sequence=2, effective_at=2_000, flow="welcome"),
]


class Kept:
    """A log that a test appends to, and its reader."""

    def __init__(
        self,
        log: ControlLog,
        append: Callable[[list[ControlRecord]], None],
        complete: Callable[[int], None],
    ) -> None:
        self.log, self.append, self.complete = log, append, complete


def in_file(path: Path, make: Callable[[str], ControlLog]) -> Kept:
    def append(records: list[ControlRecord]) -> None:
        with path.open("ab") as file:
            file.writelines(encode_line(record) + b"\n" for record in records)

    def complete(until: int) -> None:
        path.with_name(path.name + ".complete").write_text(str(until))

    append([])
    return Kept(make(str(path)), append, complete)


def in_store(address: str) -> Kept:
    store = store_of(address)
    return Kept(
        log_of(address),
        lambda records: store.append(store.read(), records) and None,
        lambda until: store.complete(store.read(), until) and None,
    )


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """Start a server of each kind that this machine has."""
    with RedisServer(request.param) as running:
        yield running


@pytest.fixture
def stream(server: RedisServer) -> Kept:
    """Open the log of a space in the emptied server."""
    connect(server.url).flushall()
    return in_store(f"{server.url}?space=shop")


@pytest.fixture(params=["file", "object", "gs", *SERVERS])
def kept(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kept]:
    """Create an empty log in a file, an object (Beam's file systems), a bucket or a Redis."""
    match request.param:
        case "file":
            yield in_file(tmp_path / "control.jsonl", file_log)
        case "object":
            yield in_file(tmp_path / "control.jsonl", object_log)
        case "gs":
            with GcsServer() as bucket:
                monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.address)
                yield in_store("gs://logs/shop/control")
        case kind:
            with RedisServer(kind) as running:
                yield in_store(f"{running.url}?space=shop")


def test_only_new_records_are_read(kept: Kept) -> None:
    """A reader gets all records at first, later only new ones, in order."""
    kept.append(RECORDS[:2])
    kept.complete(1_000)

    assert kept.log.read_since(None) == Read(tuple(RECORDS[:2]), 1_000)
    kept.append(RECORDS[2:])
    assert kept.log.read_since(1) == Read((RECORDS[2],), 1_000)
    assert kept.log.read_since(0) == Read(tuple(RECORDS[1:]), 1_000)
    kept.complete(3_000)
    assert kept.log.read_since(2) == Read((), 3_000)


def test_a_catalog_follows_the_log(kept: Kept) -> None:
    """A worker uses the log as it was at the signal's time, and waits for the missing part."""
    kept.append(RECORDS[:2])
    kept.complete(1_000)
    follower = ControlFollower(kept.log)
    first = follower.refresh()
    signal = Event(id="e", user="kim", time=1_500, name="Signed Up")

    assert step(first, None, signal) == Behind(1_500)
    kept.complete(2_500)
    second = follower.refresh()
    assert second.epochs is first.epochs
    assert step(second, None, signal).wake_at == 1_500 + 3_600_000
    kept.append([Start(sequence=3, effective_at=3_000, flow="welcome")])
    third = follower.refresh()
    assert third.epochs is not second.epochs
    assert follower.trouble is None


def test_before_the_first_read_nothing_is_complete() -> None:
    """Before the first read the catalog lets no signal pass."""
    assert ControlFollower(file_log("nowhere")).catalog.complete_until == NOTHING


def test_a_file_without_an_instant_is_complete(tmp_path: Path) -> None:
    """A log without the file that says until when it is complete is complete forever."""
    path = tmp_path / "control.jsonl"
    path.write_bytes(b"\n".join(map(encode_line, RECORDS)))

    assert file_log(str(path)).read_since(None) == Read(tuple(RECORDS), NEVER)
    assert log_of(f"file://{path}").read_since(1) == Read((RECORDS[2],), NEVER)


def test_a_first_writer_in_the_middle_of_a_read() -> None:
    """A log that is begun while it is read is not taken for one that is complete forever."""
    files = dict[str, bytes]()

    def load(path: str) -> bytes | None:
        found = files.get(path)
        files.update({"log": encode_line(RECORDS[0]), "log.complete": b"10"})
        return found

    assert TextLog("log", load).read_since(None) == Read((RECORDS[0],), 10)


def test_a_partial_line_is_not_read_yet(tmp_path: Path) -> None:
    """Half a last line is left for the next read; half a line before another is an error."""
    path = tmp_path / "control.jsonl"
    lines = [encode_line(record) for record in RECORDS]
    path.write_bytes(lines[0] + b"\n" + lines[1][:20])

    assert file_log(str(path)).read_since(None).records == (RECORDS[0],)
    path.write_bytes(lines[0] + b"\n" + lines[1][:20] + b"\n" + lines[2])
    with pytest.raises(LogError, match=r"control\.jsonl:2:1: not a control record.*\[control\]"):
        file_log(str(path)).read_since(None)


@pytest.mark.parametrize("make", [file_log, object_log])
def test_a_missing_or_invalid_log_is_reported(
    make: Callable[[str], ControlLog], tmp_path: Path
) -> None:
    """A log that does not exist, or whose instant is not a number, is an error with its address."""
    path = tmp_path / "control.jsonl"
    with pytest.raises(LogError, match=r"control\.jsonl: there is no control log"):
        make(str(path)).read_since(None)
    path.touch()
    path.with_name("control.jsonl.complete").write_text("soon")
    with pytest.raises(LogError, match=r"control\.jsonl\.complete: it is not a number"):
        make(str(path)).read_since(None)


def test_an_unknown_scheme_is_refused() -> None:
    """An unknown scheme is refused with a list of the known ones."""
    with pytest.raises(ValueError, match=r'"ftp://"; supported: file://, gs://'):
        log_of("ftp://host/control")


def test_an_empty_redis_is_not_a_complete_log(stream: Kept) -> None:
    """A Redis that lost the log lets no signal pass: it does not count as an empty log."""
    assert stream.log.read_since(None) == Read((), NOTHING)


def test_spaces_have_separate_logs(server: RedisServer, stream: Kept) -> None:
    """Each space has its own log in the same Redis."""
    stream.append(RECORDS)

    assert log_of(f"{server.url}?space=other").read_since(None).records == ()
    assert log_of(f"{server.url}?space=shop").read_since(None).records == tuple(RECORDS)


def append_unchecked(log: ControlLog, record: ControlRecord) -> None:
    """Append to a log in Redis as a program that obeys nothing."""
    assert isinstance(log, RedisLog)
    log._client.xadd(log.name, {"record": encode_line(record)}, f"{record.sequence}-1")


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (Start(sequence=3, effective_at=5_000, flow="unknown"), "never published"),
        (Start(sequence=3, effective_at=900, flow="welcome"), "declared complete until 1000"),
    ],
)
def test_an_invalid_record_stops_the_catalog(
    stream: Kept, record: ControlRecord, says: str
) -> None:
    """After an invalid record the catalog gets no more complete, and says why."""
    stream.append(RECORDS)
    stream.complete(1_000)
    follower = ControlFollower(stream.log)
    before = follower.refresh()
    append_unchecked(stream.log, record)
    stream.complete(9_000)

    assert follower.refresh() is before
    assert says in (follower.trouble or "")


def test_an_unreachable_server_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    """While Redis is unreachable the last catalog is used; afterwards the log is read again."""
    monkeypatch.setattr("transforms.redis_client.ATTEMPTS", 1)
    with RedisServer("valkey") as server:
        held = in_store(server.url)
        held.append(RECORDS)
        held.complete(1_000)
        follower = ControlFollower(held.log)
        before = follower.refresh()
        server.kill()
        assert follower.refresh() is before
        assert "towpath:default:control" in (follower.trouble or "")
        server.start()
        held.append(RECORDS)
        held.complete(1_500)

        assert follower.refresh().complete_until == 1_500
        assert follower.trouble is None


class Signalling:
    """A log that signals when it is read; it grows by one record per read."""

    def __init__(self) -> None:
        self.looks = 0
        self.looked_thrice = threading.Event()

    def read_since(self, sequence: int | None) -> Read:
        self.looks += 1
        if self.looks == 3:
            self.looked_thrice.set()
        if self.looks == 2:
            raise RuntimeError("anything")
        return Read((), self.looks)


def test_a_thread_keeps_reading() -> None:
    """In the background the log is read again and again, whatever one read raises."""
    log = Signalling()
    others = set(threading.enumerate())  # jobs of other tests may still follow their own logs
    with ControlFollower(log, every=0.001) as follower:
        assert set(threading.enumerate()) - others
        assert log.looked_thrice.wait(PATIENCE)
    looks = log.looks

    assert follower.catalog.complete_until == looks
    assert not set(threading.enumerate()) - others


@pytest.mark.parametrize(
    ("module", "address", "extra"),
    [
        ("redis", "redis://x?space=s", "redis"),
        ("apache_beam", "s3://b/log", "beam"),
        ("google.cloud.storage", "gs://b/log", "beam"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(module: str, address: str, extra: str) -> None:
    """A log whose client is missing says what to install."""
    code = f"""
import sys
sys.modules[{module!r}] = None
from transforms.sources.control_log.log import log_of
try:
    log_of({address!r}).read_since(None)
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stderr == ""
    assert done.stdout.endswith(f"; pip install 'towpath[{extra}]'\n")
