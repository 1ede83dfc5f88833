"""The one message about a package that is missing: it names the extra that brings it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Name the extra to install if an import in the block fails. Raises ImportError."""
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{error}; pip install 'towpath[{extra}]'") from error
