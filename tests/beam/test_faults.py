"""With every fault of the kit, alone and combined, many users get byte-identical outputs."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
import redis

from tests.kit import stream_sample
from tests.kit.faulty_job import BAD, LEASE_MS, Results, name_of, start_rig
from tests.kit.pubsub_faults import Faults
from tests.kit.random_users import Key, RandomUsers, fold_all
from tests.kit.redis_server import RedisServer
from towpath.cli.main import main
from transforms.beam.write_tables import TO_TABLES
from transforms.flows.protocol import outputs
from transforms.flows.protocol.outputs import Emitted, FlowState
from transforms.flows.protocol.signals import Signal
from transforms.sinks.checked import Wrote
from transforms.sinks.outgoing import KINDS
from transforms.sinks.redis import FlowStates
from transforms.sources.pubsub.leases import Delivery
from transforms.wire.messages import to_event, to_message
from transforms.wire.rows import Record

# One xdist group: the users and their run without faults are created once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

USERS = 48


class Case(msgspec.Struct, frozen=True):
    """Faults, and whether the subscription keeps the order per key."""

    faults: Faults
    ordered: bool = True


CASES = {
    "duplicate": Case(Faults(seed=1, duplicate=0.3)),
    "duplicate_later": Case(Faults(seed=1, duplicate=0.3), ordered=False),
    "lose_ack": Case(Faults(seed=2, lose_ack=0.3)),
    "expire_lease": Case(Faults(seed=3, expire_lease=0.3)),
    "nack_ordered": Case(Faults(seed=4, nack_ordered=0.1)),
    "delay": Case(Faults(seed=5, delay_ms=60_000)),
    "unavailable": Case(Faults(seed=6, unavailable=0.05)),
    "lose_answer": Case(Faults(seed=7, lose_answer=0.05)),
    "all": Case(
        Faults(
            seed=8, duplicate=0.2, lose_ack=0.2, expire_lease=0.2, nack_ordered=0.05,
            delay_ms=60_000, unavailable=0.02, lose_answer=0.02,
        )
    ),
}  # fmt: skip
# Without ordering keys nack_ordered has no effect, and with them reorder has none. The delay is
# short, or no user's records would keep their order.
OVERTAKING = {
    "reorder": Faults(seed=9, reorder=3),
    "all": Faults(
        seed=10, reorder=3, duplicate=0.2, lose_ack=0.2, expire_lease=0.2, nack_ordered=0.05,
        delay_ms=1_000, unavailable=0.02, lose_answer=0.02,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def random_users() -> RandomUsers:
    return RandomUsers(USERS)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with RedisServer("valkey") as running:
        yield running.url


@pytest.fixture
def store(server: str) -> str:
    with redis.Redis.from_url(server) as client:
        client.flushall()
    return server


@pytest.fixture(scope="module")
def without_faults(
    random_users: RandomUsers, server: str, tmp_path_factory: pytest.TempPathFactory
) -> Results:
    """Run the job once without faults."""
    with redis.Redis.from_url(server) as client:
        client.flushall()
    with start_rig(random_users, Faults(), server, tmp_path_factory.mktemp("calm")) as made:
        found = made.consume()
        made.run(found.deliveries, random_users.end)
        assert not found.early
        return made.left()


def test_without_faults_it_is_the_core(random_users: RandomUsers, without_faults: Results) -> None:
    """Without faults, topics, flow states and rows are byte-identical to those of the core (R1,
    R3).
    """
    assert_same(
        without_faults,
        random_users,
        [(record.key, record.signal) for record in random_users.records],
    )


@pytest.mark.parametrize("name", CASES)
def test_a_fault_changes_nothing(
    name: str, random_users: RandomUsers, without_faults: Results, store: str, tmp_path: Path
) -> None:
    """Topics, flow states, rows and numbers are byte-identical to those without the fault (R5,
    R31).

    And no message is acknowledged before the round after the one that made its outputs durable.
    """
    case = CASES[name]
    with start_rig(random_users, case.faults, store, tmp_path, ordered=case.ordered) as made:
        found = made.consume()
        made.run(found.deliveries, random_users.end)
        left = made.left()

    assert not found.early
    assert left.topics == without_faults.topics
    assert left.states == without_faults.states
    assert left.rows == without_faults.rows
    assert left.numbers == without_faults.numbers


@pytest.mark.parametrize("name", OVERTAKING)
def test_reordered_records_of_spaces_with_lateness_are_put_in_order(
    name: str, random_users: RandomUsers, without_faults: Results, store: str, tmp_path: Path
) -> None:
    """Without ordering keys a user's records may be reordered: in a space with allowed lateness
    that changes nothing, in another outputs are the core's in order of arrival.
    """
    with start_rig(random_users, OVERTAKING[name], store, tmp_path, ordered=False) as made:
        found = made.consume()
        made.run(found.deliveries, random_users.end)
        left = made.left()

    arrived = in_order(found.deliveries, random_users)
    came, published = by_user(arrived), by_user([(r.key, r.signal) for r in random_users.records])
    reordered = {key for key in random_users.histories if came[key] != published[key]}
    moved = {key for key in reordered if not random_users.logs.of(key[0]).slack}
    assert not found.early
    assert USERS / 10 < len(reordered) < USERS * 0.9
    assert moved < reordered
    assert_same(left, random_users, arrived)
    assert of_others(left, moved) == of_others(without_faults, moved)


def test_a_crash_loses_nothing(
    random_users: RandomUsers, without_faults: Results, store: str, tmp_path: Path
) -> None:
    """A job that crashes after writing half of its outputs, losing its state, has acknowledged
    nothing.

    The next job gets all messages, and topics, flow states and numbers are those of an undisturbed
    run; a row of the first job may be in a second file, with equal content.
    """
    with start_rig(random_users, Faults(), store, tmp_path) as made:
        first = made.read()
        half = first[: len(first) // 2]
        seen = {delivery.attributes["id"] for delivery in half}
        left_over = (r.receipt for r in random_users.records if name_of(r) not in seen)
        # A watermark is never later than a record that is still to arrive.
        made.run(half, min(half[-1].timestamp, *left_over))
        assert made.server.calls("Acknowledge") == 0
        made.clock.advance(LEASE_MS)
        again = made.consume()
        made.run(again.deliveries, random_users.end)
        left = made.left()

    assert [d.message_id for d in again.deliveries] != []
    assert left.topics == without_faults.topics
    assert left.states == without_faults.states
    assert left.numbers == without_faults.numbers
    assert {kind: set(rows) for kind, rows in left.rows.items()} == {
        kind: set(rows) for kind, rows in without_faults.rows.items()
    }
    assert left.rows != without_faults.rows, "the crash came too early to prove anything"


@pytest.mark.parametrize("durable", [True, False])
def test_redis_killed_in_mid_run(
    durable: bool, random_users: RandomUsers, without_faults: Results, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Redis that is killed twice in mid-run loses nothing: the job waits for it, and what it had
    itself lost is rebuilt from the tables.
    """
    with RedisServer("valkey", durable=durable) as redis_server:
        kills = kill_at(redis_server, (15, 60), monkeypatch)
        with start_rig(random_users, Faults(), redis_server.url, tmp_path) as made:
            made.run(made.consume().deliveries, random_users.end)
            left = made.left()
            if not durable:
                assert left.states != without_faults.states
                assert main(["rebuild", "redis", redis_server.url, str(tmp_path)]) == 0
                left = msgspec.structs.replace(left, states=made.left().states)

    assert len(kills) == 2
    assert left == without_faults


def kill_at(
    server: RedisServer, calls: tuple[int, ...], patch: pytest.MonkeyPatch
) -> list[threading.Timer]:
    """Kill the server before these writes of flow states, and start it again a moment later."""
    write, count, kills = FlowStates.write, itertools.count(1), list[threading.Timer]()

    def guarded(self: FlowStates, given: Iterable[tuple[str, Record]]) -> Wrote:
        if next(count) in calls:
            server.kill()
            kills.append(threading.Timer(0.3, server.start))
            kills[-1].start()
        return write(self, given)

    patch.setattr(FlowStates, "write", guarded)
    return kills


def test_the_sample_with_every_fault() -> None:
    """Purchases of 150 customers with all faults give the core's outputs, byte for byte (R1, R3).

    ``make stream-sample`` runs all customers.
    """
    (events,) = stream_sample.chosen_users(150)
    told = stream_sample.compare(events)

    assert told.users == 150
    assert told.deliveries > 1.3 * told.records
    assert (told.differ, told.early) == ((), 0)


Arrived = list[tuple[Key, Signal]]


def in_order(deliveries: Sequence[Delivery], random_users: RandomUsers) -> Arrived:
    """Return which record of which user was published first, and when."""
    known = {name_of(record): (record.key, record.signal) for record in random_users.records}
    came = dict.fromkeys(delivery.attributes["id"] for delivery in deliveries)
    return [known[ident] for ident in came if ident not in BAD]


def by_user(arrived: Arrived) -> dict[Key, list[str]]:
    """Return the names of each user's records in order."""
    found: dict[Key, list[str]] = defaultdict(list)
    for key, signal in arrived:
        found[key].append(signal.id)
    return found


def assert_same(left: Results, random_users: RandomUsers, arrived: Arrived) -> None:
    """Compare the results of a job with the core over the same records in this order."""
    rows: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    bodies: set[tuple[bytes, str]] = set()
    for (space, user), decided in fold_all(random_users, random_users.histories, arrived).items():
        states = []
        for encoded in decided:
            output = outputs.decode(encoded)
            rows[output.__struct_config__.tag].append((space, encoded))
            if isinstance(output, FlowState):
                states.append(output)
            if isinstance(output, Emitted):
                bodies.add((to_event(space, output).data, user))
            elif output.__struct_config__.tag in KINDS:
                bodies.add((to_message(space, output).data, user))
        held = left.states.get(f"towpath:{space}:state:{user}".encode(), {})
        assert [s.id.encode() for s in states[-1:]] == [v for k, v in held.items() if k == b"id"]
    published = [body for bodies in left.topics.values() for body in bodies.values()]
    letters = {ident for ident, _ in left.topics["dead_letter"].items()}

    assert all(len(same) == 1 for same in published), "an id has two bodies"
    assert len(letters) == len(BAD) + len(rows.pop("dead_letter", ()))
    assert {(data, key) for ((data, _, key),) in published if key} == bodies
    kept = {kind: _by_content(found) for kind, found in rows.items() if kind in TO_TABLES}
    tables = {kind: _by_content(found) for kind, found in left.rows.items()}
    tables.pop("dead_letter", None)
    assert tables == kept


def _by_content(rows: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Sort rows; the keys of their maps are sorted, as tables sort them."""
    unpacked = ((space, msgspec.msgpack.decode(encoded)) for space, encoded in rows)
    return sorted(
        (space, msgspec.json.encode(row, order="deterministic")) for space, row in unpacked
    )


def of_others(left: Results, moved: set[Key]) -> object:
    """Return the rows and states without those of some users."""
    users = {user for _, user in moved}
    return (
        {
            key: state
            for key, state in left.states.items()
            if key.decode().split(":")[-1] not in users
        },
        {
            kind: [row for row in rows if outputs.decode(row[1]).user not in users]
            for kind, rows in left.rows.items()
        },
    )
