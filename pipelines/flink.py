"""The job on Flink: topics of Kafka, the core, and topics for the outputs, exactly once.

    flink run -pym pipelines.flink --brokers … --events events --events handovers=handover --control …

Each topic is decoded on its own, because each may bring other kinds of records (R9).

Ids of operators must not change: a savepoint finds the users' states by them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from pipelines.flink_options import Kafka, parse
from pipelines.option_words import HANDOVER
from schemas.wire import Encoding
from transforms.flink.elements import MESSAGE, NAMED, name_of
from transforms.flink.kafka_tables import records_of, sink_table, source_table
from transforms.flink.publish import Publish
from transforms.flink.receive import Receive
from transforms.flink.run_flows import RunFlows
from transforms.hosting.allowed import Source
from transforms.hosting.catalogs import Catalogs, FollowedLogs
from transforms.hosting.run import Settings

OUTPUTS = "outputs"


def build(
    env: Any,
    kafka: Kafka,
    sources: Sequence[Source],
    topics: Mapping[str, str],
    catalogs: Catalogs,
    *,
    space: str = "default",
    settings: Settings | None = None,
    encoding: Encoding = "json",
) -> None:
    """Add the job to an environment of Flink; ``topics`` has the topic of each kind of output."""
    tables = StreamTableEnvironment.create(env)
    # Times of records are read as UTC, and the ids of the tables' operators are in savepoints, too.
    tables.get_config().set_local_timezone("UTC")
    tables.get_config().set("table.exec.uid.generation", "ALWAYS")
    # Otherwise handovers would be lost: nothing would write them, or nothing would take them back.
    joins = HANDOVER in topics and any(HANDOVER in source.allow for source in sources)
    received = []
    for number, source in enumerate(sources, 1):
        receive = Receive(catalogs, space, joins, source)
        records = _records(tables, kafka, source, number)
        received.append(
            _named(records.process(receive, NAMED), "Decode and key", f"receive-{source.name}")
        )
    signals = received[0].union(*received[1:]) if received[1:] else received[0]
    users = signals.key_by(name_of, key_type=Types.STRING())
    decided = _named(users.process(RunFlows(catalogs, settings), NAMED), "Run flows", "run-flows")
    published = decided.process(Publish(topics, encoding), MESSAGE)
    _write(tables, kafka, topics, _named(published, "Publish", "publish"))


def _records(tables: Any, kafka: Kafka, source: Source, number: int) -> Any:
    """Read a topic."""
    table = f"source_{number}"
    statement = source_table(table, kafka.brokers, source.name, kafka.name, kafka.properties)
    tables.execute_sql(statement)
    return tables.to_data_stream(tables.sql_query(records_of(table)))


def _write(tables: Any, kafka: Kafka, topics: Mapping[str, str], rows: Any) -> None:
    """Write records to their topics."""
    statement = sink_table(
        OUTPUTS, kafka.brokers, topics.values(), kafka.name, kafka.transaction_ms, kafka.properties
    )
    tables.execute_sql(statement)
    table = tables.from_data_stream(rows)
    statements = tables.create_statement_set()
    statements.add_insert(OUTPUTS, table)
    statements.attach_as_datastream()


def _named(stream: Any, name: str, ident: str) -> Any:
    return stream.name(name).uid(ident)


def run(words: Sequence[str]) -> int:
    """Submit the job."""
    given = parse(words)
    env = StreamExecutionEnvironment.get_execution_environment()
    build(
        env,
        given.kafka,
        given.sources,
        given.topics,
        FollowedLogs(given.control),
        space=given.space,
        settings=Settings(loose=given.loose),
        encoding=given.encoding,
    )
    env.execute(given.kafka.name)
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
