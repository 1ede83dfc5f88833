"""The types of elements between the functions of the Flink job."""

from __future__ import annotations

from pyflink.common import Types

BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())

LETTER = "!"

Named = tuple[str, bytes]
"""The key of Flink, and an encoded signal for it.

Outputs that need no step, the dead letters of messages, take the same way with ``LETTER`` before their
key: a second stream would separate the function of the users from the sink.
"""

NAMED = Types.TUPLE([Types.STRING(), BYTES])

KEYED = Types.ROW([Types.STRING(), NAMED])
"""What Flink brings to its key. The function gets only the second part; asking for the key would cost a call
of Java.
"""

Decided = tuple[str, list[bytes]]
"""The key of Flink, and the encoded outputs of a step, in order. Functions of Python that follow each
other share them; otherwise each would cost to cross to Java.
"""

DECIDED = Types.TUPLE([Types.STRING(), Types.OBJECT_ARRAY(BYTES)])

MESSAGE = Types.ROW_NAMED(
    ["topic", "name", "body", "headers"],
    [Types.STRING(), BYTES, BYTES, Types.MAP(Types.STRING(), BYTES)],
)
"""A record for Kafka: its topic, key, value and headers."""

MESSAGES = Types.TUPLE([BYTES, Types.LIST(Types.STRING()), *[Types.LIST(BYTES)] * 6])
"""The records of a step for Kafka: the space, and lists of their topics, keys, values, and of the headers
id, kind, schema and flow. They cross to Java together, since each element costs to cross; and as lists,
since Java would put all tuples of a list into one.
"""

LINES = Types.ROW_NAMED(["lines"], [BYTES])
"""The lines of a step, for a file."""
