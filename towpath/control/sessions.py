"""How many sessions a change concerns, from an index of live sessions that the controller keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Sessions(Protocol):
    """Counts the live sessions that are known."""

    def sessions_of(self, flow: str) -> Mapping[tuple[int, str], int]:
        """Count the live sessions of a flow by version and step."""
