"""The types of elements between the functions of the Flink job."""

from __future__ import annotations

from pyflink.common import Types

Named = tuple[str, bytes]
"""The key of Flink, and an encoded signal for it.

Outputs that need no step, the dead letters of messages, take the same way with ``LETTER`` before their
key: a second stream would separate the function of the users from the sink.
"""

Decided = tuple[str, list[bytes]]
"""The key of Flink, and the encoded outputs of a step, in order. Functions of Python that follow each
other share them; otherwise each would cost to cross to Java.
"""

LETTER = "!"

NAMED = Types.TUPLE([Types.STRING(), Types.PRIMITIVE_ARRAY(Types.BYTE())])

DECIDED = Types.TUPLE([Types.STRING(), Types.OBJECT_ARRAY(Types.PRIMITIVE_ARRAY(Types.BYTE()))])

MESSAGE = Types.ROW_NAMED(
    ["topic", "name", "body", "headers"],
    [
        Types.STRING(),
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
        Types.MAP(Types.STRING(), Types.PRIMITIVE_ARRAY(Types.BYTE())),
    ],
)
"""A record for Kafka: its topic, key, value and headers."""

_BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())

MESSAGES = Types.TUPLE([_BYTES, Types.LIST(Types.STRING()), *[Types.LIST(_BYTES)] * 6])
"""The records of a step for Kafka: the space, and lists of their topics, keys, values, and of the headers
id, kind, schema and flow. They cross to Java together, since each element costs to cross; and as lists,
since Java would put all tuples of a list into one.
"""

LINES = Types.ROW_NAMED(["lines"], [Types.PRIMITIVE_ARRAY(Types.BYTE())])
"""The lines of a step, for a file."""


def name_of(element: Named) -> str:
    """Return the key of Flink of an element."""
    return element[0]
