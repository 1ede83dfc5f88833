"""Records that say that two keys are one user (R8)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.test_decode import BASE, bad, line
from transforms.flows.protocol import signals
from transforms.wire.decode import decode_json


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        ({"userId": None, "previousId": "u0", "anonymousId": "a7"}, "an alias needs a userId"),
        ({}, "neither previousId nor anonymousId"),
    ],
)
def test_an_alias_needs_two_keys(ids: dict[str, Any], says: str) -> None:
    """An alias without one of its two keys is refused (R8)."""
    assert bad(json.dumps(BASE | {"type": "alias"} | ids).encode()).detail == says


def test_an_alias_of_an_anonymous_id() -> None:
    """An alias may name the anonymous id, like an identify (R8)."""
    found = decode_json(json.dumps(BASE | {"type": "alias", "anonymousId": "a7"}).encode())

    assert isinstance(found, signals.ProfileChange)
    assert (found.user, found.becomes) == ("anon:a7", "u1")


def test_a_handover_may_be_larger_than_other_records() -> None:
    """A handover may contain the largest state; another record of that size is refused (R8)."""
    state = {"type": "handover", "source": "anon:a7", "state": "A" * 350_000}

    assert isinstance(decode_json(json.dumps(BASE | state).encode()), signals.Handover)
    assert bad(line(properties={"a": "A" * 350_000})).reason == "too_large"
