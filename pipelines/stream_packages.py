"""The packages of the streaming job, checked before it imports them."""

from __future__ import annotations

from importlib.util import find_spec

PACKAGES = ("apache_beam", "google.cloud.pubsub_v1", "redis")


def missing() -> str | None:
    """Return what to install for the packages that are missing; None if none is."""
    absent = [name for name in PACKAGES if not _is_installed(name)]
    if not absent:
        return None
    return f"the streaming job needs {' and '.join(absent)}; run pip install 'towpath[beam,redis]'"


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:  # a part of its name is missing
        return False
