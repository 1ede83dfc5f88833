"""The page for publishers: the decoder accepts its samples, and its numbers are the code's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas import wire
from tests.docs.blocks import File, Other, blocks
from tests.packaging.repository import ROOT
from transforms.flows.protocol import signals
from transforms.wire.decode import MAX_LINE
from transforms.wire.envelope import KINDS
from transforms.wire.messages import to_signal
from transforms.wire.raw import Bad
from transforms.wire.values import MAX_BYTES, MAX_DEPTH

PAGE = ROOT / "docs" / "how-to" / "publish-events.md"
BLOCKS = list(blocks(PAGE))
FILES = {block.path: block.text.splitlines() for block in BLOCKS if isinstance(block, File)}
SAMPLES = FILES["events.jsonl"]
(PYTHON,) = [b.text for b in BLOCKS if isinstance(b, Other) and b.language == "python"]
INTERNAL = {"call_result", "command", "handover", "forwarded"}
"""Kinds that parts of the project itself publish."""


def damaged(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Damage a record in every way that the page warns of."""
    return [
        {key: value for key, value in record.items() if key not in ("userId", "anonymousId")},
        {key: value for key, value in record.items() if key != "messageId"},
        record | {"messageId": "x" * 257},
        record | {"timestamp": 1_772_355_600},
        record | {"timestamp": "2201-01-01T00:00:00Z"},
        record | {"padding": "x" * MAX_LINE},
    ]


@pytest.mark.parametrize("line", SAMPLES)
def test_samples_are_decoded(line: str) -> None:
    """Every sample of the page is a signal, with the publish time as its ingestion time (R3)."""
    record = json.loads(line)
    found = to_signal(line.encode(), {}, 1_772_355_700_000)

    assert not isinstance(found, Bad | signals.Time)
    assert found.id == record["messageId"]
    anonymous = record.get("anonymousId")
    assert found.user == (f"anon:{anonymous}" if anonymous else record["userId"])
    assert found.received == 1_772_355_700_000


@pytest.mark.parametrize("line", SAMPLES)
def test_damaged_samples_are_refused(line: str) -> None:
    """What the page forbids is refused, in each kind of record."""
    for record in damaged(json.loads(line)):
        assert isinstance(to_signal(json.dumps(record).encode(), {}), Bad), record.keys()


def test_every_kind_has_a_sample() -> None:
    """The page shows each kind that a publisher may send."""
    assert {json.loads(line)["type"] for line in SAMPLES} == set(KINDS) - INTERNAL


@pytest.mark.parametrize("line", FILES["mistakes.jsonl"])
def test_mistakes_on_the_page_are_refused(line: str) -> None:
    """Every record that the page calls a mistake is refused."""
    assert isinstance(to_signal(line.encode(), {}), Bad)


def test_the_python_code_of_the_page_writes_a_message() -> None:
    """The code that writes Avro runs, and its message is decoded."""
    made: dict[str, Any] = {}
    exec(PYTHON, made)
    message = made["message"]

    assert message["attributes"] == wire.attributes("event", "avro")
    assert to_signal(message["data"], message["attributes"]) == signals.Event(
        id="order-1001-completed", user="kim", time=1_772_355_600_000, name="Order Completed",
        properties={"total": 30.5},
    )  # fmt: skip


def test_the_limits_on_the_page_are_those_of_the_decoder() -> None:
    """The limits that the page names are those of the decoder."""
    text = PAGE.read_text(encoding="utf-8")

    assert f"| a record in JSON | {MAX_LINE // 1024} KiB |" in text
    assert f"| {MAX_BYTES // 1024} KiB, {MAX_DEPTH} levels deep |" in text
