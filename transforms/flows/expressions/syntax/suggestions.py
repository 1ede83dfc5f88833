"""Did you mean: the nearest known name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def close(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like this one, if one is near enough."""
    names = sorted(known)
    folded = {candidate.casefold(): candidate for candidate in reversed(names)}
    found = difflib.get_close_matches(name.casefold(), folded, 1, 0.7)
    return folded[found[0]] if found else None
