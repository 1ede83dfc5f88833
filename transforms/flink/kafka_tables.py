"""Tables of Flink's SQL over topics of Kafka: only there do records have headers and timestamps.

The watermark is that of heartbeats alone, in each partition: while a source sends none, nothing that
waits is handled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transforms.flink.statements import create_table

SOURCE_COLUMNS = """
  body BYTES,
  headers MAP<STRING, BYTES> METADATA VIRTUAL,
  received TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  part INT METADATA FROM 'partition' VIRTUAL,
  place BIGINT METADATA FROM 'offset' VIRTUAL,
  WATERMARK FOR received AS
    CASE WHEN CAST(headers['kind'] AS STRING) = 'heartbeat' THEN received END
"""
SINK_COLUMNS = """
  topic STRING METADATA,
  name BYTES,
  body BYTES,
  headers MAP<STRING, BYTES> METADATA
"""


def source_table(
    table: str, brokers: str, topic: str, group: str, properties: Mapping[str, str]
) -> str:
    """Return the statement that creates the table of an input topic.

    The first run reads from the beginning of the topic; later the job's own state has the offsets.
    """
    options = {
        "connector": "kafka",
        "topic": topic,
        "format": "raw",
        "scan.startup.mode": "earliest-offset",
        "scan.watermark.emit.strategy": "on-event",
        # What a new partition has before it is found is late.
        "scan.topic-partition-discovery.interval": "10 s",
        "properties.bootstrap.servers": brokers,
        "properties.group.id": group,
        # What the job sends to itself is in transactions.
        "properties.isolation.level": "read_committed",
        **{f"properties.{name}": value for name, value in properties.items()},
    }
    return create_table(table, SOURCE_COLUMNS, options)


def records_of(table: str) -> str:
    """Return the query of an input table's records: body, headers, time in ms, partition, offset."""
    ms = "EXTRACT(EPOCH FROM received) * 1000 + EXTRACT(MILLISECOND FROM received)"
    return f"SELECT body, headers, {ms}, part, place FROM {table}"


def sink_table(
    table: str,
    brokers: str,
    topics: Iterable[str],
    prefix: str,
    transaction_ms: int,
    properties: Mapping[str, str],
) -> str:
    """Return the statement that creates the table of all output topics, written exactly once.

    ``prefix`` begins the names of transactions; two jobs must not have the same. ``transaction_ms``
    is how long the broker keeps a transaction open: longer than the job may be down.
    """
    options = {
        "connector": "kafka",
        "topic": ";".join(sorted(set(topics))),
        "key.format": "raw",
        "key.fields": "name",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
        "sink.delivery-guarantee": "exactly-once",
        "sink.transactional-id-prefix": prefix,
        "properties.bootstrap.servers": brokers,
        "properties.transaction.timeout.ms": str(transaction_ms),
        # Nothing is visible before a checkpoint, so records may wait for others.
        "properties.linger.ms": "100",
        "properties.batch.size": str(256 * 1024),
        **{f"properties.{name}": value for name, value in properties.items()},
    }
    return create_table(table, SINK_COLUMNS, options)


def records_from(table: str, encoding: str) -> str:
    """Return the query of the records to send, from a table of those of each step."""
    return f"""
SELECT f1[n], f2[n], body, MAP[
  'id', f4[n], 'space', f0, 'kind', f5[n], 'schema', f6[n], 'flow', f7[n],
  'encoding', CAST('{encoding}' AS BYTES)]
FROM {table} CROSS JOIN UNNEST(f3) WITH ORDINALITY AS record (body, n)"""
