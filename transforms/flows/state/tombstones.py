"""How long tombstones of erased users are kept (R32)."""

from __future__ import annotations

from typing import Final

from transforms.flows.state.stored import Identity

MONTH: Final = 30 * 86_400_000
SEALED: Final = 1 << 53
"""The value of ``control_applied`` for a key without user data: no control record applies to it."""


def forgets_at(identity: Identity) -> int | None:
    """Return when the tombstone of an erasure expires; None if there is none."""
    return None if identity.erased is None else identity.erased + MONTH
