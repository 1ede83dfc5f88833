"""Flow states in real servers: the newest of each user stays, with any failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.docs.blocks import Other, blocks
from tests.kit.redis_server import SERVERS, RedisServer
from tests.packaging.repository import ROOT
from transforms import redis_client
from transforms.flows.protocol.outputs import Erased, FlowState
from transforms.sinks.checked import Wrote
from transforms.sinks.redis import BATCH, FlowStates, _newest, open_states, state_key

SPACE = "shop"


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """Start a server of each kind that this machine has."""
    with RedisServer(request.param) as running:
        yield running


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    """Connect to the server, emptied."""
    with redis.Redis.from_url(server.url) as connected:
        connected.flushall()
        yield connected


@pytest.fixture
def states(client: redis.Redis, server: RedisServer) -> FlowStates:
    """Open the flow states of the emptied server."""
    return open_states(server.url)


def state(sequence: int, user: str = "kim", *, empty: bool = False) -> FlowState:
    flows = [] if empty else [{"flow": "welcome", "step": f"s{sequence}", "since": sequence}]
    shown = {} if empty else {"top": {"shows": f"banner {sequence}", "until": sequence * 100}}
    return FlowState(
        id=f"{user}-{sequence}", user=user, at=sequence * 10, sequence=sequence, flows=flows,
        promotions=shown,
    )  # fmt: skip


def write(states: FlowStates, *given: FlowState) -> Wrote:
    return states.write((SPACE, one) for one in given)


def sequence(states: FlowStates, user: str = "kim") -> int | None:
    held = states.get_state(SPACE, user)
    return held and held.sequence


def test_what_is_written_is_read(states: FlowStates) -> None:
    """A reader gets the sequence, the time, the flows and the promotions of the user (L11, B7)."""
    assert write(states, state(7)) == Wrote(written=1)
    held = states.get_state(SPACE, "kim")

    assert (held.sequence, held.at) == (7, 70)
    assert held.flows == ({"flow": "welcome", "step": "s7", "since": 7},)
    assert held.promotions == {"top": {"shows": "banner 7", "until": 700}}
    assert states.get_state(SPACE, "nobody") is None
    assert states.get_state("other", "kim") is None


def test_the_layout_is_as_documented(states: FlowStates, client: redis.Redis) -> None:
    """A reader can read one field of one hash, and it is JSON."""
    write(states, state(7))

    assert client.hget("towpath:shop:state:kim", "promotions") == (
        b'{"top":{"shows":"banner 7","until":700}}'
    )
    assert set(client.hkeys("towpath:shop:state:kim")) == {
        b"epoch", b"sequence", b"at", b"id", b"flows", b"promotions",
    }  # fmt: skip


def test_the_reader_of_the_reference_page_works(
    server: RedisServer, client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """The code of the reference page reads what was written."""
    page = ROOT / "docs" / "reference" / "redis.md"
    (code,) = [b.text for b in blocks(page) if isinstance(b, Other) and b.language == "python"]
    lasting = FlowState(
        id="i", user="kim", at=1, sequence=1, flows=[{"flow": "welcome"}],
        promotions={"top": {"shows": "banner", "until": None}},
    )  # fmt: skip
    write(open_states(server.url), lasting)
    exec(code.replace("redis://localhost:6379/0", server.url), {})

    assert capsys.readouterr().out == ("['welcome'] {'top': {'shows': 'banner', 'until': None}}\n")


def test_a_promotion_is_shown_until_its_end(states: FlowStates) -> None:
    """A promotion that has ended since the write is not shown, without another write (B7)."""
    write(states, state(7))
    held = states.get_state(SPACE, "kim")

    assert set(held.showing(699)) == {"top"}
    assert held.showing(700) == {}


def test_an_older_state_never_overwrites(states: FlowStates) -> None:
    """A state that is late counts as stale and changes nothing (R31)."""
    write(states, state(9))

    assert write(states, state(8)) == Wrote(stale=1)
    assert sequence(states) == 9
    assert write(states, state(10)) == Wrote(written=1)
    assert sequence(states) == 10


def test_a_later_epoch_replaces_a_higher_sequence(states: FlowStates, server: RedisServer) -> None:
    """A job without the old job's states counts anew: its states replace those of the old one,
    whose writes and erasures are then stale (R31).
    """
    rebuilt = open_states(server.url, epoch=1)
    write(states, state(900), state(900, "lee"))

    assert write(rebuilt, state(5)) == Wrote(written=1)
    assert write(states, state(901)) == Wrote(stale=1)
    assert not states.erase(SPACE, "kim", 902)
    assert sequence(states) == 5
    assert write(rebuilt, state(6)) == Wrote(written=1)
    assert write(states, state(901, "lee")) == Wrote(written=1)
    assert rebuilt.erase(SPACE, "lee", 1)
    assert write(states, state(902, "lee")) == Wrote(stale=1)
    assert states.get_state(SPACE, "lee") is None


def test_a_state_without_an_epoch_is_of_the_first(states: FlowStates, client: redis.Redis) -> None:
    """What a version without epochs wrote is compared by its sequence."""
    write(states, state(7))
    client.hdel(state_key(SPACE, "kim"), "epoch")

    assert write(states, state(6)) == Wrote(stale=1)
    assert write(states, state(8)) == Wrote(written=1)
    assert states.get_state(SPACE, "kim").epoch == 0


def test_sequences_are_compared_as_numbers(states: FlowStates) -> None:
    """10 is newer than 9, and sequences up to the largest exact double are distinguished."""
    for number in (9, 10, 2**53 - 1, 2**53):
        assert write(states, state(number)) == Wrote(written=1)

    assert write(states, state(2**53 - 1)) == Wrote(stale=1)


def test_a_repeat_changes_nothing(states: FlowStates, client: redis.Redis) -> None:
    """The same state again changes no byte (R31)."""
    write(states, state(3))
    before = client.hgetall(state_key(SPACE, "kim"))

    assert write(states, state(3), state(3)) == Wrote(stale=2)
    assert client.hgetall(state_key(SPACE, "kim")) == before


def test_all_states_of_large_batches_are_written(states: FlowStates, client: redis.Redis) -> None:
    """More states than fit in a batch are all written, each under its user."""
    users = [f"u{n}" for n in range(2 * BATCH + 3)]

    assert write(states, *(state(1, user) for user in users)) == Wrote(written=len(users))
    assert client.dbsize() == len(users)
    assert write(states) == Wrote()


@settings(max_examples=40)
@given(data=st.data())
def test_shuffled_batches_converge_to_the_newest(server: RedisServer, data: st.DataObject) -> None:
    """However states are repeated, shuffled and divided, by writers of two epochs, each user's
    newest stays.
    """
    row = st.tuples(st.sampled_from("abc"), st.integers(1, 12))
    parts = st.lists(st.tuples(st.integers(0, 1), st.lists(row)), min_size=1, max_size=8)
    given = data.draw(parts)
    order = data.draw(st.permutations(given + given[: len(given) // 2]))
    with redis.Redis.from_url(server.url) as connected:
        connected.flushall()
    for epoch, rows in order:
        open_states(server.url, epoch=epoch).write((SPACE, state(n, user)) for user, n in rows)

    reader = open_states(server.url)
    for user in {user for _, rows in given for user, _ in rows}:
        newest = max((epoch, n) for epoch, rows in given for who, n in rows if who == user)
        held = reader.get_state(SPACE, user)
        assert (held.epoch, held.sequence) == newest
        assert held.flows[0]["step"] == f"s{newest[1]}"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 12))))
def test_a_batch_sends_only_the_newest_of_a_user(pairs: list[tuple[str, int]]) -> None:
    """A state that a later one of the same batch replaces is not sent."""
    found = {one.user: one.sequence for _, one in _newest([(SPACE, state(n, u)) for u, n in pairs])}

    assert found == {user: max(n for u, n in pairs if u == user) for user, _ in pairs}


def test_an_erased_user_leaves_only_the_sequence(states: FlowStates, client: redis.Redis) -> None:
    """An erasure deletes the data; a tombstone keeps the sequence for 30 days (R32)."""
    write(states, state(5))

    assert states.erase(SPACE, "kim", 6)
    assert states.get_state(SPACE, "kim") is None
    assert client.hgetall(state_key(SPACE, "kim")) == {b"epoch": b"0", b"sequence": b"6"}
    assert 29 < client.ttl(state_key(SPACE, "kim")) / 86_400 <= 30


def test_older_states_are_refused_after_an_erasure(states: FlowStates) -> None:
    """A late state or a repeated erasure is refused by the tombstone (R32)."""
    write(states, state(5))
    states.erase(SPACE, "kim", 5)

    assert write(states, state(4), state(5)) == Wrote(stale=2)
    assert states.erase(SPACE, "kim", 5)
    assert states.get_state(SPACE, "kim") is None


def test_an_erasure_is_written_as_an_output(states: FlowStates) -> None:
    """The output that erases deletes the user's key; the tombstone refuses an older state (R32)."""
    erased = Erased(id="x", user="kim", at=1, sequence=6, until=2)
    write(states, state(5), state(1, "lee"))

    assert states.write([(SPACE, erased), (SPACE, state(4))]).written == 1
    assert states.get_state(SPACE, "kim") is None
    assert write(states, state(5)) == Wrote(stale=1)
    assert sequence(states, "lee") == 1
    write(states, state(7))
    assert states.write([(SPACE, erased)]) == Wrote(stale=1)
    assert sequence(states) == 7


def test_a_repeated_erasure_does_not_affect_a_new_user(
    states: FlowStates, client: redis.Redis
) -> None:
    """A newer state replaces the tombstone, without an expiry, and an old erasure does not affect
    it.
    """
    states.erase(SPACE, "kim", 5)
    write(states, state(6))

    assert not states.erase(SPACE, "kim", 5)
    assert sequence(states) == 6
    assert client.ttl(state_key(SPACE, "kim")) == -1


def test_only_a_state_without_sessions_expires(server: RedisServer, client: redis.Redis) -> None:
    """The ``ttl`` applies while the user is in no flow; a later session stops it."""
    states = open_states(server.url, ttl=60_000)

    write(states, state(1))
    assert client.pttl(state_key(SPACE, "kim")) == -1
    write(states, state(2, empty=True))
    assert 0 < client.pttl(state_key(SPACE, "kim")) <= 60_000
    write(states, state(3))
    assert client.pttl(state_key(SPACE, "kim")) == -1


def test_names_cannot_collide(states: FlowStates) -> None:
    """A colon in a space's name or a user's id never gives another user's key."""
    states.write([("a:state", state(1, "b")), ("a", state(2, "state:b")), ("é{1}", state(3, ""))])

    assert state_key("a:state", "b") != state_key("a", "state:b")
    assert states.get_state("a:state", "b").sequence == 1
    assert states.get_state("a", "state:b").sequence == 2
    assert states.get_state("é{1}", "").sequence == 3


def test_scripts_are_loaded_again_after_a_restart(states: FlowStates, client: redis.Redis) -> None:
    """A server that was restarted, or a replica that took over, gets the script again."""
    write(states, state(1))
    client.script_flush()

    assert write(states, state(2)) == Wrote(written=1)


def test_a_closed_connection_is_opened_again(states: FlowStates, client: redis.Redis) -> None:
    """A connection closed by the server or the network only causes a retry."""
    write(states, state(1))
    client.client_kill_filter(_type="normal", skipme=True)

    assert write(states, state(2)) == Wrote(written=1)
    client.client_kill_filter(_type="normal", skipme=True)
    assert sequence(states) == 2


def test_a_write_waits_until_the_server_is_back() -> None:
    """While the server is away a write waits, and then writes everything."""
    with RedisServer("valkey") as server:
        states = open_states(server.url)
        write(states, state(1))
        server.kill()
        back = threading.Timer(0.2, server.start)
        back.start()
        wrote = write(states, *(state(2, f"u{n}") for n in range(BATCH + 1)))
        back.join()

        assert wrote.written + wrote.stale == BATCH + 1
        assert sequence(states, "u0") == sequence(states, f"u{BATCH}") == 2


def test_a_server_that_stays_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stays away is an error, so that the caller acknowledges nothing."""
    monkeypatch.setattr(redis_client, "ATTEMPTS", 2)
    with RedisServer("valkey") as server:
        states = open_states(server.url)
        server.kill()

        with pytest.raises(redis.ConnectionError):
            write(states, state(1))


def test_a_permanent_error_is_reported_at_once(states: FlowStates, client: redis.Redis) -> None:
    """A key of another type, or a full memory, is not retried."""
    write(states, state(1))
    client.set(state_key(SPACE, "kim"), "not a hash")
    client.config_resetstat()

    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        write(states, state(1))
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 1
