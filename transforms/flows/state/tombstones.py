"""Tombstones of erased users: how long they stay (R32)."""

from __future__ import annotations

from typing import Final

from transforms.flows.state.stored import Identity

MONTH: Final = 30 * 86_400_000
SEALED: Final = 1 << 53
"""As the last control record applied: no record applies to a key without a user."""


def forgets_at(identity: Identity) -> int | None:
    """Return when the mark of an erasure is dropped."""
    return None if identity.erased is None else identity.erased + MONTH
