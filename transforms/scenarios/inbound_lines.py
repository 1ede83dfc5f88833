"""What users send, as scenario files write it: ``inbound sms 4711 "YES" answers=ask``."""

from __future__ import annotations

import re
from typing import Any

from transforms.scenarios.values import Line

_WORD = re.compile(r"[^\s{]+")
_CALL = re.compile(r"call(?!\S)")


def sent(line: Line) -> tuple[dict[str, Any], str | None]:
    """Read a channel, a number, what was written or ``call``, and which message it answers.

    Gives the fields of the signal, and the send step whose newest message is answered, if it is
    named so and not by the message's id in quotes.
    """
    channel, number = line.name("a channel"), line.take(_WORD)
    if number is None:
        raise line.stop("the number or name that the user wrote to is expected here")
    call = line.take(_CALL) is not None
    text, step = "", None
    if line.text[line.at : line.at + 1] == '"':
        text = str(line.value())
    elif not call:
        raise line.stop('what the user wrote is expected here, in quotes, or "call"')
    found: dict[str, Any] = {"channel": channel, "number": number, "text": text, "call": call}
    if line.passes("answers="):
        if line.text[line.at : line.at + 1] == '"':
            found["communication"] = str(line.value())
        else:
            step = line.take(_WORD)
            if step is None:
                raise line.stop("the name of a send step, or a message's id in quotes, is expected")
    return found, step
