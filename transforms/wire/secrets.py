"""Addresses that hold a secret: ``env:NAME`` stands for one, which is read where it is used.

So what travels in a job's options, and stands in a list of processes, is the name.
"""

from __future__ import annotations

import os

PREFIX = "env:"


def address_of(word: str) -> str:
    """Return the address itself, for ``env:NAME`` that in the environment variable.

    Raises ValueError where the variable is not set or empty.
    """
    if not word.startswith(PREFIX):
        return word
    found = os.environ.get(word.removeprefix(PREFIX))
    if not found:
        raise ValueError(f'"{word}" is no address here: the environment variable is not set')
    return found
