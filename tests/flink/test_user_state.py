"""What Flink keeps of a user, and its keys."""

from __future__ import annotations

import pytest

from transforms.flink.user_state import pack, to_key, to_name, unpack


@pytest.mark.parametrize("alarm", [None, 0, 1_790_762_400_000])
@pytest.mark.parametrize("state", [None, b"\x01", b"\x01state"])
def test_alarm_and_state_come_back(alarm: int | None, state: bytes | None) -> None:
    """An alarm and a state are read as they were written, each of them also alone."""
    assert unpack(pack(alarm, state)) == (alarm, state)


def test_nothing_is_kept_of_nothing() -> None:
    """A user without an alarm and without a state leaves nothing behind."""
    assert pack(None, None) is None


def test_the_layout_of_savepoints_stays() -> None:
    """Eight bytes with the alarm, -1 for none, come before the state: savepoints have them so."""
    assert pack(258, b"state") == b"\x00\x00\x00\x00\x00\x00\x01\x02state"
    assert pack(None, b"state") == b"\xff" * 8 + b"state"


@pytest.mark.parametrize("user", ["kim", "a/b", "", "anon:1", "ü/"])
def test_keys_come_back(user: str) -> None:
    """A key of Flink names one user of one space, whatever the user's id is."""
    assert to_key(to_name(("shop", user))) == ("shop", user)
