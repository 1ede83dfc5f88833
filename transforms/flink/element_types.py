"""Flink's types of the elements between the functions of the job."""

from __future__ import annotations

from pyflink.common import Types

BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())

NAMED = Types.TUPLE([Types.STRING(), BYTES])

KEYED = Types.ROW([Types.STRING(), NAMED])
"""What Flink brings to its key. The function gets only the second part; asking for the key would cost a call
of Java.
"""

DECIDED = Types.PICKLED_BYTE_ARRAY()
"""Only for form: the functions before and after it are one operator, which hands objects of Python on."""

MESSAGE = Types.ROW_NAMED(
    ["topic", "name", "body", "headers"],
    [Types.STRING(), BYTES, BYTES, Types.MAP(Types.STRING(), BYTES)],
)
"""A record for Kafka: its topic, key, value and headers."""

MESSAGES = Types.TUPLE([BYTES, Types.LIST(Types.STRING()), *[Types.LIST(BYTES)] * 6])
"""The records of a step for Kafka; they cross to Java as lists, since Java would put all tuples of a list
into one.
"""

LINES = Types.ROW_NAMED(["lines"], [BYTES])
"""The lines of a step, for a file."""
