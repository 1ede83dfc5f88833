"""Addresses with a secret: ``env:NAME`` is resolved on the worker that uses it.

So a job's options and the list of processes show the name of the variable only.
"""

from __future__ import annotations

import os

PREFIX = "env:"


def address_of(word: str) -> str:
    """Return an address; ``env:NAME`` is read from the environment variable.

    Raises ValueError if the variable is not set or empty.
    """
    if not word.startswith(PREFIX):
        return word
    found = os.environ.get(word.removeprefix(PREFIX))
    if not found:
        raise ValueError(f'"{word}" has no value: the environment variable is not set')
    return found
