"""Flow states in real servers: the newest of each user stays, whatever happens on the way."""

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
    """A page may read one field of one hash, and it is JSON."""
    write(states, state(7))

    assert client.hget("towpath:shop:state:kim", "promotions") == (
        b'{"top":{"shows":"banner 7","until":700}}'
    )
    assert set(client.hkeys("towpath:shop:state:kim")) == {
        b"sequence", b"at", b"id", b"flows", b"promotions",
    }  # fmt: skip


def test_the_page_s_reader_runs(
    server: RedisServer, client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """The code of the reference reads what was written."""
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
    """What ended since the write is not shown, though nothing was written (B7)."""
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


def test_sequences_are_compared_as_numbers(states: FlowStates) -> None:
    """10 is newer than 9, and sequences as large as a double holds exactly are kept apart."""
    for number in (9, 10, 2**53 - 1, 2**53):
        assert write(states, state(number)) == Wrote(written=1)

    assert write(states, state(2**53 - 1)) == Wrote(stale=1)


def test_a_repeat_changes_nothing(states: FlowStates, client: redis.Redis) -> None:
    """The same state again leaves every byte as it was (R31)."""
    write(states, state(3))
    before = client.hgetall(state_key(SPACE, "kim"))

    assert write(states, state(3), state(3)) == Wrote(stale=2)
    assert client.hgetall(state_key(SPACE, "kim")) == before


def test_batches_are_written_whole(states: FlowStates, client: redis.Redis) -> None:
    """More states than a batch holds are all written, each under its user."""
    users = [f"u{n}" for n in range(2 * BATCH + 3)]

    assert write(states, *(state(1, user) for user in users)) == Wrote(written=len(users))
    assert client.dbsize() == len(users)
    assert write(states) == Wrote()


@settings(max_examples=40)
@given(data=st.data())
def test_shuffled_batches_converge_to_the_newest(server: RedisServer, data: st.DataObject) -> None:
    """However states are repeated, shuffled and cut, by two writers, each user's newest stays."""
    numbers = st.integers(1, 12)
    pairs = data.draw(st.lists(st.tuples(st.sampled_from("abc"), numbers), min_size=1, max_size=40))
    order = data.draw(st.permutations(pairs + pairs[: len(pairs) // 2]))
    cut = data.draw(st.integers(0, len(order)))
    with redis.Redis.from_url(server.url) as connected:
        connected.flushall()
    for part in (order[:cut], order[cut:]):
        open_states(server.url).write((SPACE, state(n, user)) for user, n in part)

    reader = open_states(server.url)
    for user in {user for user, _ in pairs}:
        newest = max(n for who, n in pairs if who == user)
        assert reader.get_state(SPACE, user).flows[0]["step"] == f"s{newest}"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 12))))
def test_a_batch_sends_only_the_newest_of_a_user(pairs: list[tuple[str, int]]) -> None:
    """What a later state of the same batch would overwrite is not sent."""
    found = {one.user: one.sequence for _, one in _newest([(SPACE, state(n, u)) for u, n in pairs])}

    assert found == {user: max(n for u, n in pairs if u == user) for user, _ in pairs}


def test_an_erased_user_leaves_only_the_sequence(states: FlowStates, client: redis.Redis) -> None:
    """Erasing deletes what is known; a mark keeps the sequence for 30 days (R32)."""
    write(states, state(5))

    assert states.erase(SPACE, "kim", 6)
    assert states.get_state(SPACE, "kim") is None
    assert client.hgetall(state_key(SPACE, "kim")) == {b"sequence": b"6"}
    assert 29 < client.ttl(state_key(SPACE, "kim")) / 86_400 <= 30


def test_nothing_from_before_an_erasure_comes_back(states: FlowStates) -> None:
    """A state that is delivered late, or an erasure delivered again, meets the mark (R32)."""
    write(states, state(5))
    states.erase(SPACE, "kim", 5)

    assert write(states, state(4), state(5)) == Wrote(stale=2)
    assert states.erase(SPACE, "kim", 5)
    assert states.get_state(SPACE, "kim") is None


def test_an_erasure_is_written_as_an_output(states: FlowStates) -> None:
    """The output that erases deletes the user's key; an older state meets its mark (R32)."""
    erased = Erased(id="x", user="kim", at=1, sequence=6, until=2)
    write(states, state(5), state(1, "lee"))

    assert states.write([(SPACE, erased), (SPACE, state(4))]).written == 1
    assert states.get_state(SPACE, "kim") is None
    assert write(states, state(5)) == Wrote(stale=1)
    assert sequence(states, "lee") == 1
    write(states, state(7))
    assert states.write([(SPACE, erased)]) == Wrote(stale=1)
    assert sequence(states) == 7


def test_a_user_who_came_back_is_not_erased_by_a_late_repeat(
    states: FlowStates, client: redis.Redis
) -> None:
    """A state newer than the mark starts afresh, without an end, and an old erasure leaves it."""
    states.erase(SPACE, "kim", 5)
    write(states, state(6))

    assert not states.erase(SPACE, "kim", 5)
    assert sequence(states) == 6
    assert client.ttl(state_key(SPACE, "kim")) == -1


def test_only_a_state_without_sessions_ends_by_itself(
    server: RedisServer, client: redis.Redis
) -> None:
    """The ``ttl`` runs while the user is in no flow; a later session stops it."""
    states = open_states(server.url, ttl=60_000)

    write(states, state(1))
    assert client.pttl(state_key(SPACE, "kim")) == -1
    write(states, state(2, empty=True))
    assert 0 < client.pttl(state_key(SPACE, "kim")) <= 60_000
    write(states, state(3))
    assert client.pttl(state_key(SPACE, "kim")) == -1


def test_names_cannot_collide(states: FlowStates) -> None:
    """A colon in a space's name or a user's id leads to no other user's key."""
    states.write([("a:state", state(1, "b")), ("a", state(2, "state:b")), ("é{1}", state(3, ""))])

    assert state_key("a:state", "b") != state_key("a", "state:b")
    assert states.get_state("a:state", "b").sequence == 1
    assert states.get_state("a", "state:b").sequence == 2
    assert states.get_state("é{1}", "").sequence == 3


def test_a_server_that_lost_its_scripts_gets_them_again(
    states: FlowStates, client: redis.Redis
) -> None:
    """A server that was restarted, or a replica that took over, does not know the script."""
    write(states, state(1))
    client.script_flush()

    assert write(states, state(2)) == Wrote(written=1)


def test_a_connection_that_was_cut_is_made_again(states: FlowStates, client: redis.Redis) -> None:
    """Connections closed by the server or on the way cost nothing but a retry."""
    write(states, state(1))
    client.client_kill_filter(_type="normal", skipme=True)

    assert write(states, state(2)) == Wrote(written=1)
    client.client_kill_filter(_type="normal", skipme=True)
    assert sequence(states) == 2


def test_a_write_waits_for_a_server_that_comes_back() -> None:
    """While the server is away a write is patient, and then writes all of it."""
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


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stays away is an error, so that the caller acknowledges nothing."""
    monkeypatch.setattr(redis_client, "ATTEMPTS", 2)
    with RedisServer("valkey") as server:
        states = open_states(server.url)
        server.kill()

        with pytest.raises(redis.ConnectionError):
            write(states, state(1))


def test_an_error_that_stays_is_told_at_once(states: FlowStates, client: redis.Redis) -> None:
    """A key of another type, or a full memory, is no reason to try again and again."""
    write(states, state(1))
    client.set(state_key(SPACE, "kim"), "not a hash")
    client.config_resetstat()

    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        write(states, state(1))
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 1
