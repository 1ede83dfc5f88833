"""A faster size estimate for Beam's state cache, which walks over all loaded modules per entry.

That walk takes a third of a millisecond per read. The replacement measures what our state cells
hold. It patches the versions of Beam that were checked, and no others.
"""

from __future__ import annotations

import sys
from typing import Any

import apache_beam as beam
from apache_beam.runners.worker import statecache

VERSIONS = ("2.77.",)
"""The versions of Beam whose cache was checked."""

OVERHEAD = 64


def size_of(*values: Any) -> int:
    """Estimate the bytes of values; containers include their items."""
    return sum(map(_size, values))


def _size(value: Any) -> int:
    if isinstance(value, statecache.CacheAware):
        return OVERHEAD + size_of(*value.get_referents_for_cache())
    own = sys.getsizeof(value, OVERHEAD)
    if isinstance(value, list | tuple | set | frozenset):
        return own + size_of(*value)
    if isinstance(value, dict):
        return own + size_of(*value.keys(), *value.values())
    return own


def patch(version: str = beam.__version__) -> bool:
    """Replace the size function of the state cache; return False on another version of Beam."""
    known = version.startswith(VERSIONS) and hasattr(statecache, "get_deep_size")
    if known:
        statecache.get_deep_size = size_of
    return known
