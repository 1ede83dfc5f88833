"""The elements between the functions of the Flink job."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.flows.protocol.outputs import AnyOutput

LETTER = "!"

Named = tuple[str, bytes]
"""The key of Flink, and an encoded signal for it.

Outputs that need no step, the dead letters of messages, take the same way with ``LETTER`` before their
key: a second stream would separate the function of the users from the sink.
"""

Decided = tuple[str, Sequence[AnyOutput], Sequence[bytes]]
"""The key of Flink, the outputs of a step, in order, and each of them in JSON, which records of Avro and
lines of files do not use. Functions of Python that follow each other share them; otherwise each would cost
to cross to Java.
"""

Names = list[str]
Column = list[bytes]
Messages = tuple[bytes, Names, Column, Column, Column, Column, Column, Column]
"""The records of a step for Kafka: the space, and lists of their topics, keys, values, and of the headers
id, kind, schema and flow. They cross to Java together, since each element costs to cross.
"""
