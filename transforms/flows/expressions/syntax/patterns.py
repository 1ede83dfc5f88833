"""Regular expressions by RE2: linear time and bounded memory for any pattern and text."""

from __future__ import annotations

from typing import Any

import re2

MOST_CHARACTERS = 256
_MEMORY = 1 << 20


class PatternError(ValueError):
    """A pattern that RE2 does not accept."""


def compile_pattern(pattern: str, *, ignore_case: bool = False) -> Any:
    """Compile a pattern; ``search(text)`` of the result finds it anywhere in a text."""
    if len(pattern) > MOST_CHARACTERS:
        raise PatternError(f"a pattern has at most {MOST_CHARACTERS} characters")
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    options.case_sensitive = not ignore_case
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise PatternError(f"the pattern cannot be used: {text}") from None
