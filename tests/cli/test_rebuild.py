"""Flow states in Redis are written anew from tables, files and subscriptions, any number of times."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest
import redis

import schemas
from tests.kit.pubsub_servers import World, ordered_world
from tests.kit.redis_server import RedisServer
from towpath.cli.main import main
from transforms.flows.protocol.outputs import Erased, FlowState
from transforms.sinks import open_sink
from transforms.sinks.redis import open_states
from transforms.wire.messages import to_message
from transforms.wire.rows import to_row

SPACE = "shop: one"
Given = list[tuple[str, FlowState | Erased]]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer("valkey") as running:
        yield running


@pytest.fixture
def url(server: RedisServer) -> str:
    with redis.Redis.from_url(server.url) as connected:
        connected.flushall()
    return server.url


def state(sequence: int, user: str) -> FlowState:
    flows = [{"flow": "welcome", "step": f"s{sequence}", "since": sequence}]
    return FlowState(
        id=f"{user}-{sequence}", user=user, at=sequence * 10, sequence=sequence, flows=flows,
        promotions={"top": {"shows": "banner", "until": None}},
    )  # fmt: skip


def rows() -> Given:
    """Return states of three users, out of order; one of them is erased."""
    found: Given = [(SPACE, state(n, user)) for n in (3, 1, 2) for user in ("kim", "lee", "ann")]
    return [*found, (SPACE, Erased(id="e", user="ann", at=50, sequence=5, until=60))]


def left(url: str) -> dict[bytes, Any]:
    with redis.Redis.from_url(url) as connected:
        return {key: connected.hgetall(key) for key in connected.scan_iter()}


def written(url: str, epoch: int = 0) -> dict[bytes, Any]:
    """Return what the job itself leaves in an empty Redis."""
    with redis.Redis.from_url(url) as connected:
        connected.flushall()
    open_states(url, epoch=epoch).write(rows())
    found = left(url)
    with redis.Redis.from_url(url) as connected:
        connected.flushall()
    return found


def rebuild(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, int], str]:
    code = main(["rebuild", "redis", *words, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else {}, err


def tables(folder: Path) -> str:
    sink = open_sink(f"parquet:{folder}")
    sink.write(rows())
    sink.close()
    return str(folder)


def json_lines(folder: Path) -> str:
    path = folder / "states.jsonl"
    path.write_bytes(b"".join(to_message(SPACE, row).data + b"\n" for _, row in rows()))
    return str(path)


def avro_messages(folder: Path) -> str:
    """Write messages with their attributes, as a Cloud Storage subscription does."""
    fields = [
        {"name": "data", "type": "bytes"},
        {"name": "attributes", "type": {"type": "map", "values": "string"}},
    ]
    schema = fastavro.parse_schema({"type": "record", "name": "message", "fields": fields})
    found = (to_message(SPACE, row, "avro") for _, row in rows())
    given = [{"data": one.data, "attributes": one.attributes} for one in found]
    (path := folder / "messages.avro").write_bytes(_avro(schema, given))
    return str(path)


def avro_rows(folder: Path) -> str:
    states = [to_row(row) for _, row in rows() if isinstance(row, FlowState)]
    erasures = [to_row(row) for _, row in rows() if isinstance(row, Erased)]
    (folder / "e.avro").write_bytes(_avro(schemas.parsed("erased"), erasures))
    (path := folder / "s.avro").write_bytes(_avro(schemas.parsed("flow_state"), states))
    return str(path)


def _avro(schema: Any, given: list[dict[str, Any]]) -> bytes:
    data = io.BytesIO()
    fastavro.writer(data, schema, given)
    return data.getvalue()


@pytest.mark.parametrize("make", [tables, json_lines, avro_messages, avro_rows])
def test_states_are_as_the_job_left_them(
    make: Any, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From each source Redis holds the newest state of each user, and again after a repetition."""
    expected = written(url)
    sources = [make(tmp_path), *map(str, tmp_path.glob("e.avro"))]

    code, told, _ = rebuild(capsys, url, *sources, "--space", SPACE)
    assert (code, told["read"], told["erasures"], told["rejected"]) == (0, 10, 1, 0)
    assert told["written"] >= 3
    assert left(url) == expected

    code, told, _ = rebuild(capsys, url, *sources, "--space", SPACE)
    assert told["written"] <= 1  # an erasure is repeated, which changes nothing
    assert left(url) == expected


def test_a_newer_state_stays(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a running job wrote meanwhile is newer; a later epoch replaces it."""
    open_states(url).write([(SPACE, state(9, "kim"))])
    rebuild(capsys, url, tables(tmp_path))
    held = open_states(url).get_state(SPACE, "kim")
    assert held is not None
    assert held.sequence == 9

    rebuild(capsys, url, str(tmp_path), "--epoch", "1")
    assert left(url) == written(url, epoch=1)


def test_a_subscription_is_read_and_acknowledged(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Messages are acknowledged once Redis has their states."""
    expected = written(url)
    with ordered_world(monkeypatch) as world:
        publish(world)
        code, told, _ = rebuild(capsys, url, world.subscription)

        assert (code, told["read"], told["rejected"]) == (0, 10, 0)
        assert left(url) == expected
        assert world.pull() == []


def publish(world: World) -> None:
    for _, row in rows():
        message = to_message(SPACE, row)
        world.publish(message.data.decode(), **message.attributes)


def test_rejected_records_are_reported(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other records are counted and shown without their values, and the rest is written."""
    path = tmp_path / "mixed.jsonl"
    good = to_message(SPACE, state(1, "kim")).data
    path.write_bytes(b'{"id": "secret"}\n[]\nno json\n' + good + b"\n")

    code, told, err = rebuild(capsys, url, str(path), "--space", SPACE)
    assert (code, told) == (
        1, {"read": 4, "written": 1, "stale": 0, "rejected": 3, "erasures": 0}
    )  # fmt: skip
    assert f"{path}:1: " in err
    assert "secret" not in err
    assert "no erasures among the records" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["http://h", "x"], "Redis URL must specify one of the following schemes"),
        (["redis://h", "nowhere"], "nowhere: neither a file nor a folder with tables"),
        (["redis://h", "gs://bucket/tables"], "name the space of the tables with --space"),
        (["redis://h", "x", "--epoch", "-1"], "--epoch is a number from 0 on"),
        (["env:NO_SUCH_VARIABLE", "x"], "NO_SUCH_VARIABLE"),
    ],
)
def test_wrong_words_are_refused(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong address or source is an error of usage, before anything is written."""
    code, _, err = rebuild(capsys, *words)

    assert code == 2
    assert told in err


def test_a_redis_that_is_away_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a connection the command says so and may be run again."""
    monkeypatch.setattr("transforms.redis_client.ATTEMPTS", 1)
    code, _, err = rebuild(capsys, "redis://127.0.0.1:1/0", tables(tmp_path))

    assert code == 1
    assert "run the command again" in err
