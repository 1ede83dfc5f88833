"""What goes wrong with a cluster, in words instead of Java's stack traces."""

from __future__ import annotations

import re

_CAUSE = re.compile(
    r"^(?:Caused by: )?(?:[\w$]+\.)+[\w$]*(?:Exception|Error)\b(?:: (.+))?$", re.MULTILINE
)
_CLASS = re.compile(r"\b(?:[a-z_]\w*\.){2,}(?=[A-Z])")


class FlinkError(Exception):
    """The cluster refused a request, or a program of Flink failed; ``details`` is all that it printed."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class Unreachable(FlinkError, ConnectionError):
    """The JobManager does not answer."""


def reason_of(trace: str) -> str:
    """Return the message of the innermost exception of a stack trace, or its first line."""
    causes = [found.strip() for found in _CAUSE.findall(trace) if found.strip()]
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    said = causes[-1] if causes else (lines[0] if lines else "no reason is given")
    return _CLASS.sub("", said)
