"""What a source may bring: which records need a permission, and what becomes of the others."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.kit.reminders import LINES, LOGS, SPACE, TEN
from tests.packaging.repository import ROOT
from transforms.flows.protocol import signals
from transforms.flows.protocol.outputs import DeadLetter
from transforms.flows.protocol.signals import Command, Signal
from transforms.hosting.allowed import EVERYTHING, Source
from transforms.hosting.allowed import KINDS as KINDS_TO_ALLOW
from transforms.hosting.catalogs import FixedLogs
from transforms.hosting.receive import Accepted, Ignored, Rejected, receive
from transforms.wire.decode import decode_json
from transforms.wire.envelope import KINDS

EVENTS = "projects/p/subscriptions/events"
ERASE = signals.encode(Command(id="x", user="kim", time=TEN, what="erase"))
COMMANDS = ("hold", "resume", "stop", "suppress", "wake")
USUAL: list[dict[str, Any]] = [
    {"type": "track", "event": "Cart"},
    {"type": "identify", "traits": {"name": "Kim"}},
    {"type": "identify", "anonymousId": "7"},
    {"type": "alias", "anonymousId": "7"},
    {"type": "alias", "previousId": "anon:7"},
    {"type": "audience", "audience": "vip", "entered": True},
    {"type": "communication", "communication": "c", "status": "opened"},
    {"type": "inbound", "channel": "sms", "number": "+49", "communication": "c"},
    {"type": "enter", "flow": "remind"},
    {"type": "call_result", "call": "c", "ok": True},
]
RESTRICTED: list[tuple[str, dict[str, Any]]] = [
    *(("command", {"type": "command", "what": what}) for what in COMMANDS),
    *((what, {"type": "command", "what": what}) for what in ("erase", "export", "import")),
    ("handover", {"type": "handover", "source": "anon:7", "state": b"no state"}),
    ("handover", {"type": "forwarded", "source": "anon:7", "signal": ERASE}),
    ("alias", {"type": "alias", "previousId": "ann"}),
]


def received(record: dict[str, Any], *allow: str) -> Accepted | Rejected | Ignored:
    """Receive one record from a source with these permissions."""
    source = Source(EVENTS, frozenset(allow))
    return receive(LOGS, encoded(record), {"id": "m"}, TEN, space=SPACE, source=source)


def encoded(record: dict[str, Any]) -> bytes:
    """Encode a record of the user kim."""
    return msgspec.json.encode({"messageId": "m", "userId": "kim", "timestamp": TEN} | record)


def signal_of(record: dict[str, Any]) -> Signal:
    """Receive a record from a source that may bring everything."""
    found = received(record, *EVERYTHING)
    assert isinstance(found, Accepted)
    return found.signal


@pytest.mark.parametrize("record", USUAL, ids=lambda record: record["type"])
def test_what_every_source_may_bring(record: dict[str, Any]) -> None:
    """Every source may bring events, profile changes, audiences, entries and what communications
    bring, and may say which user an anonymous visitor is (R9).
    """
    assert received(record) == Accepted(SPACE, signal_of(record))


@pytest.mark.parametrize(("kind", "record"), RESTRICTED)
def test_what_a_source_must_be_allowed_to_bring(kind: str, record: dict[str, Any]) -> None:
    """Commands, erasures, exports, imports, states of other keys and merges of users are refused
    unless the source is allowed to bring exactly them (R9).
    """
    refused = received(record, *EVERYTHING - {kind})

    assert isinstance(refused, Rejected)
    assert refused.letter.reason == "not_allowed"
    assert received(record, kind) == Accepted(SPACE, signal_of(record))


def test_a_default_host_allows_nothing_more() -> None:
    """A host that declares nothing for a source takes only the usual records from it (R9)."""
    erase = encoded({"type": "command", "what": "erase"})

    assert isinstance(receive(LOGS, erase, {}, TEN, space=SPACE), Rejected)


@pytest.mark.parametrize(("kind", "record"), RESTRICTED)
def test_the_dead_letter_says_what_where_and_why(kind: str, record: dict[str, Any]) -> None:
    """The dead letter has the user, the message, the source, the kind, and the complete record,
    which can be published again where it is allowed (R7).
    """
    found = received(record)

    assert isinstance(found, Rejected)
    letter = found.letter
    assert (letter.user, letter.at, letter.cause) == (signal_of(record).user, TEN, "m")
    assert letter.detail == f"message m: {EVENTS} is not allowed to deliver {kind}"
    assert decode_json((letter.record or "").encode()) == decode_json(encoded(record))


def test_a_user_too_long_for_a_topic_is_only_in_the_record() -> None:
    """A key that no topic takes as an ordering key does not keep the dead letter from being
    published (R7).
    """
    visitor = "\N{TEAPOT}" * 256
    found = received({"type": "command", "userId": None, "anonymousId": visitor, "what": "erase"})

    assert isinstance(found, Rejected)
    assert found.letter.user == ""
    assert visitor in (found.letter.record or "")


def test_refused_messages_have_ids_of_their_own() -> None:
    """Two refused messages that claim the same id are two dead letters; a redelivery is the same
    one (R30).
    """
    letters = [received(record) for _, record in RESTRICTED[:2] * 2]
    found = [one.letter for one in letters if isinstance(one, Rejected)]

    assert all(isinstance(one, DeadLetter) for one in found)
    assert found[:2] == found[2:]
    assert found[0].id != found[1].id


@pytest.mark.parametrize("kind", KINDS_TO_ALLOW)
def test_the_page_has_every_kind(kind: str) -> None:
    """The page for operators describes every kind that needs a permission, as the code does."""
    page = ROOT / "docs" / "how-to" / "who-may-publish-what.md"

    assert f"\n| `{kind}` | {KINDS_TO_ALLOW[kind]} | " in page.read_text(encoding="utf-8")


def test_every_kind_of_record_is_decided() -> None:
    """Every kind of record of the envelope is either a usual one or needs a permission (R9)."""
    said = [*USUAL, *(record for _, record in RESTRICTED)]

    assert {record["type"] for record in said} == set(KINDS)
    assert {kind for kind, _ in RESTRICTED} == EVERYTHING


@pytest.mark.parametrize("record", [{"type": "no such type"}, {"type": "command", "what": "erase"}])
def test_a_dead_letter_is_one_of_a_publication(record: dict[str, Any]) -> None:
    """A redelivery has the same dead letter; what is published again and fails again has another,
    and so has the same id in another space.
    """

    def letter(space: str, receipt: int) -> DeadLetter:
        logs = FixedLogs({SPACE: LINES, "other": LINES})
        body, known = encoded(record), {"id": "m", "space": space}
        found = receive(logs, body, known, receipt, source=Source(EVENTS))
        assert isinstance(found, Rejected)
        return found.letter

    first = letter(SPACE, TEN)
    assert letter(SPACE, TEN) == first
    assert len({first.id, letter(SPACE, TEN + 1).id, letter("other", TEN).id}) == 3
