"""Limits of single values."""

from __future__ import annotations

from typing import Final

LONGEST_WAIT: Final = 400 * 86_400_000
LARGEST: Final = 2**63 - 1
"""The largest whole number that all record formats can hold."""
