"""The packages of the streaming job, checked before it imports them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec

PACKAGES = ("apache_beam", "google.cloud.pubsub_v1")
REDIS = re.compile(r"--states\b|(?:^|=)(?:rediss?|unix)://")
"""Words of a command line that need the package ``redis``: the states, or a control log in Redis."""


def missing(words: Sequence[str]) -> str | None:
    """Return what to install for the packages that are missing; None if none is."""
    redis = any(map(REDIS.search, words))
    absent = [name for name in (*PACKAGES, *["redis"] * redis) if not _is_installed(name)]
    if not absent:
        return None
    extras = "beam,redis" if redis else "beam"
    return f"the streaming job needs {' and '.join(absent)}; run pip install 'towpath[{extras}]'"


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:  # a part of its name is missing
        return False
