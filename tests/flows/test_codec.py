from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from transforms.flows.engine.working import Session, State, decode, encode, stored
from transforms.flows.state import codec
from transforms.flows.state.dedupe import remember
from transforms.flows.state.ids import short
from transforms.flows.state.sent_archive import archive, archived, pop
from transforms.flows.state.series import add
from transforms.flows.state.stored import (
    Communication,
    Halt,
    History,
    Identity,
    Participant,
    Past,
    Pending,
    Presence,
    Promotion,
    Sent,
    Series,
    StoredState,
    Visit,
)
from transforms.flows.state.trait_times import updated_times

GOLDEN = Path(__file__).parent / "golden_states"
RELEASED = GOLDEN / "released"
DAY = 86_400_000
NOW = 1_770_000_000_000


def small() -> State:
    """Return a typical user: 5 traits, one live session, 3 past entries, 20 seen ids."""
    state = State(clock=NOW, control_applied=NOW)
    state.traits = {
        "email": "ann@example.com",
        "name": "Ann",
        "timezone": "Europe/Berlin",
        "plan": "pro",
        "country": "DE",
    }
    state.trait_ages = updated_times(b"", [], state.traits, state.traits, NOW)
    for n in range(20):
        known = short(f"event-{n}")
        state.seen_ids, state.seen_floor = remember(state.seen_ids, known, NOW + n, NOW + n, 0)
    session = Session("9AbePo76qos7dOH4", 0, 1, "", NOW, 2, NOW)
    session.due, session.count, session.visits = NOW + DAY, 5, {0: 1, 2: 1}
    state.sessions = [session]
    state.histories = {
        0: History(
            times=4,
            visits=[Visit(NOW - n * DAY, 3_600_000 if n else None) for n in range(3, -1, -1)],
            reached=[0, 1, 2, 3],
        )
    }
    return state


def full() -> State:
    """Return a user with a value in every field of the state."""
    state = small()
    state.sequence, state.seen_floor = 7, NOW - 9 * DAY
    state.tags, state.consent = ["vip"], {"email": False, "sms:offers": True}
    state.audiences, state.audience_checks = {"lapsed": NOW - DAY}, {"lapsed": NOW + DAY}
    series = Series()
    add(series, NOW - DAY, 12.5, 30 * DAY)
    state.series = {"0a1b2c3d": series}
    session = state.sessions[0]
    session.recheck_at, session.silent, session.entry = NOW + 1, True, {"cart": "c1", "value": 30}
    session.variables, session.variants, session.sent = {"n": 1}, {4: 1}, {1: "abc-2"}
    session.matched_cases, session.exit_true, session.goals = [1], [0], ["bought"]
    session.promotions = [Promotion(5, "banner", "ten_off", NOW + DAY, NOW + 2)]
    session.halt = Halt(NOW, 3, "shift", 5, 2, "case_1", True)
    session.message = {"text": "YES", "number": "4711", "channel": "sms", "call": False}
    session.visit_deadline, session.baseline = NOW + 7, [2]
    state.suppressed = [0, -1]
    state.presence = Presence(3, NOW - DAY, NOW - 1, 12)
    state.histories[0].launches = [short("spring")]
    state.ended = [Session("DuJV5MYpNlWRRJ25", 1, 1, "k", NOW, 0, NOW)]
    state.ended[0].ended = NOW
    state.cap_sends = [Sent(NOW, "email", "marketing")]
    state.communications = [
        Communication(
            id="abc-2",
            session=session.id,
            flow=0,
            version=1,
            step=1,
            started=NOW,
            channel="email",
            status="planned",
            changed=NOW,
            due=NOW + DAY,
            data={"entry": {"cart": "c1"}},
            on_hold=True,
            key="c1",
        )
    ]
    left = Communication("abc-1", session.id, 0, 1, 1, NOW, "email", "delivered", NOW)
    state.sent_archive = [Past(NOW, msgspec.Raw(msgspec.msgpack.encode(left)))]
    state.pending = [Pending(0, 1, [NOW, None], None, "e1", {"cart": "c1"})]
    state.participants = {"winter": Participant({"status": "new", "size": 3}, NOW - DAY, NOW)}
    state.trait_ages = updated_times(b"", [], state.traits, state.traits, NOW)
    state.identity = Identity(None, "", NOW - DAY, [b"held"], short("h1"), ["anon:a7"])
    return state


def readable(state: State) -> StoredState:
    """Return the stored form of a state; archived messages have all fields of today."""
    found = archived(state.sent_archive)
    state.sent_archive = [Past(c.changed, msgspec.Raw(msgspec.msgpack.encode(c))) for c in found]
    return stored(state)


STATES = {"small": small, "full": full}


@pytest.mark.parametrize("state", [small(), full()], ids=["small", "full"])
def test_round_trip(state: State) -> None:
    """A state that is encoded and decoded is the same, and encodes to the same bytes."""
    blob = encode(state)

    assert stored(decode(blob)) == stored(state)
    assert encode(decode(blob)) == blob


def test_a_newly_archived_message_encodes_to_the_same_bytes() -> None:
    """A message archived since the last decode encodes to the same bytes as an earlier one."""
    state, (past,) = full(), full().sent_archive
    state.sent_archive = []
    sent = msgspec.msgpack.decode(past.packed, type=Communication)
    archive(state.sent_archive, sent, NOW)

    assert [found.id for found in archived(state.sent_archive)] == [sent.id]
    assert encode(state) == encode(full())
    assert pop(state.sent_archive, sent.id) == sent
    assert not state.sent_archive


def test_size_of_a_typical_user() -> None:
    """A typical user takes at most 440 bytes."""
    assert len(encode(small())) <= 440


@pytest.mark.parametrize("name", ["small", "full"])
def test_golden(name: str, rewrite: bool) -> None:
    """A state encodes to the same bytes as before; ``--rewrite`` updates the golden blobs."""
    path = GOLDEN / f"{name}.msgpack"
    state = STATES[name]()
    if rewrite:
        path.write_bytes(encode(state))

    assert stored(decode(path.read_bytes())) == stored(state)
    assert encode(state) == path.read_bytes()


@pytest.mark.parametrize("name", ["v1-small", "v1-full"])
def test_a_released_blob_opens(name: str) -> None:
    """Released blobs stay readable; no flag rewrites them."""
    blob = (RELEASED / f"{name}.msgpack").read_bytes()

    assert readable(decode(blob)) == readable(STATES[name.removeprefix("v1-")]())


def test_a_released_session_layout_opens() -> None:
    """A session of an earlier release, with fewer fields, gets defaults for the new fields."""
    state = full()
    (session,) = state.sessions
    session.halt = session.message = session.visit_deadline = session.baseline = None
    blob = (RELEASED / "v1-session-of-21-fields.msgpack").read_bytes()

    assert readable(decode(blob)) == readable(state)


@pytest.mark.parametrize("fields", [7, 9, 16, 22])
def test_an_older_blob_opens(fields: int) -> None:
    """A blob from before the newest fields is read without loss."""
    whole = msgspec.msgpack.decode(encode(full())[1:])
    state = decode(codec.VERSION + msgspec.msgpack.encode(whole[:fields]))

    for name in StoredState.__struct_fields__[:fields]:
        assert getattr(stored(state), name) == getattr(stored(full()), name)


@pytest.mark.parametrize("name", StoredState.__struct_fields__[5:])
def test_trailing_empty_fields_are_not_stored(name: str) -> None:
    """A state with only one field set, whichever it is, is read back as it was written."""
    state = State(clock=NOW, control_applied=NOW)
    setattr(state, name, getattr(full(), name))

    assert stored(decode(encode(state))) == stored(state)
    assert len(encode(State(clock=NOW, control_applied=NOW))) < 30


def test_reached_goals_are_stored() -> None:
    """The goals that a user has reached are the last field; users without any do not store it."""
    state = small()
    before = len(encode(state))
    state.converted = {0: ["bought"], 3: ["bought", "called"]}

    assert stored(decode(encode(state))) == stored(state)
    state.converted = {}
    assert len(encode(state)) == before


@pytest.mark.parametrize("blob", [b"", b"\xff\x90"])
def test_unknown_version(blob: bytes) -> None:
    """A blob of an unknown version is refused with its number, and not misread."""
    with pytest.raises(codec.UnknownVersion):
        decode(blob)
