"""The job on Flink: topics of Kafka, the core, and topics for the outputs, exactly once.

    flink run -pym pipelines.flink --brokers … --events events --events handovers=handover --control …

Each topic is decoded on its own, because each may bring other kinds of records (R9).

Ids of operators must not change: a savepoint finds the users' states by them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

from pyflink.common import Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.data_stream import KeyedStream
from pyflink.java_gateway import get_gateway
from pyflink.table import ChangelogMode, Schema, StreamTableEnvironment

from pipelines.flink_options import FILES, Kafka, Lines, on_kafka, parse
from pipelines.option_words import HANDOVER
from schemas import METRICS
from schemas.wire import Encoding
from transforms.flink.element_types import DECIDED, KEYED, LINES, MESSAGE, MESSAGES, NAMED
from transforms.flink.file_tables import lines_table, ticks_table
from transforms.flink.kafka_tables import records_from, records_of, sink_table, source_table
from transforms.flink.metric_lines import ADDED
from transforms.flink.metric_windows import (
    OUTAGE,
    SETTINGS,
    PublishNumbers,
    number_schema,
    numbers_of,
    timely_steps,
)
from transforms.flink.publish import Publish, WriteLines
from transforms.flink.read_files import (
    LINE,
    ReadFiles,
    line_schema,
    lines_of,
    one_key,
)
from transforms.flink.receive import Receive
from transforms.flink.run_flows import RunFlows
from transforms.hosting.allowed import Source
from transforms.hosting.catalogs import Catalogs, FollowedLogs
from transforms.hosting.settings import Settings

OUTPUTS, NUMBERS = "outputs", "metrics"
UNIQUE = "<id>_<transformation>"
"""The ids of operators in statements that have several of a type; <id> counts all operators before, so
these are named again by ``_name_by_place``."""


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
    lateness: int | None = None,
    folder: Lines | None = None,
) -> None:
    """Add the job to an environment of Flink; ``topics`` has the topic of each kind of output.

    With a ``lateness``, in seconds, metrics are counted, too. With a ``folder``, outputs go to its files
    instead of topics.
    """
    # Functions that follow each other pass elements on without copies: none of them changes any.
    env.get_config().enable_object_reuse()
    tables = StreamTableEnvironment.create(env)
    # Times of records are read as UTC, and the ids of the tables' operators are in savepoints, too.
    tables.get_config().set_local_timezone("UTC")
    tables.get_config().set("table.exec.uid.generation", "ALWAYS")
    # Otherwise handovers would be lost: nothing would write them, or nothing would take them back.
    joins = (
        folder is None
        and HANDOVER in topics
        and any(HANDOVER in source.allow for source in on_kafka(sources))
    )
    received = [
        _received(env, tables, kafka, source, number, Receive(catalogs, space, joins, source))
        for number, source in enumerate(sources, 1)
    ]
    decided = _named(
        _users(received).process(RunFlows(catalogs, settings), DECIDED), "Run flows", "run-flows"
    )
    if folder is not None:
        _write_lines(tables, folder, decided.process(WriteLines(), LINES))
        return
    publish = Publish(topics, encoding, metrics=lateness is not None)
    published = _named(decided.process(publish, MESSAGES), "Publish", "publish")
    tables.create_temporary_view("steps_made", published)
    records = tables.sql_query(records_from("steps_made", encoding))
    _write(tables, kafka, topics, records)
    if lateness is not None:
        # PyFlink's own get_side_output would add a function of Python.
        stream = published._j_data_stream  # noqa: SLF001
        added = DataStream(stream.getSideOutput(ADDED.get_java_output_tag()))
        _count(tables, kafka, topics, added, lateness, encoding)


def _received(
    env: Any, tables: Any, kafka: Kafka, source: Source, number: int, receive: Receive
) -> DataStream:
    """Read a source, and decode and key its records.

    Lines of files stay in order by one instance. A topic that only few may fill has one, too: it may have
    one partition, and other instances would never get a heartbeat.
    """
    if source.name.startswith(FILES):
        records = _lines(tables, source.name.removeprefix(FILES), number)
        keyed = records.process(receive, KEYED).set_parallelism(1)
    else:
        few = number > 1 and bool(source.allow)
        with _parallelism(env, 1 if few else env.get_parallelism()):
            keyed = _records(tables, kafka, source, number).process(receive, KEYED)
    return _named(keyed, "Decode and key", f"receive-{source.name}")


def _users(received: Sequence[DataStream]) -> KeyedStream:
    """Bring signals to their users. PyFlink's own key_by would add a function that copies the key."""
    first, *others = received
    signals = first.union(*others) if others else first
    keyed = signals._j_data_stream.keyBy(  # noqa: SLF001
        get_gateway().jvm.KeyByKeySelector(), Types.ROW([Types.STRING()]).get_java_type_info()
    )
    return KeyedStream(keyed, NAMED, signals)


def _records(tables: Any, kafka: Kafka, source: Source, number: int) -> Any:
    """Read a topic."""
    table = f"source_{number}"
    statement = source_table(table, kafka.brokers, source.name, kafka.name, kafka.properties)
    tables.execute_sql(statement)
    records = tables.sql_query(records_of(table))
    with _ids(tables, source.name):
        return tables.to_data_stream(records)


def _lines(tables: Any, folder: str, number: int) -> Any:
    """Read the files of a folder."""
    ticks, table = f"ticks_{number}", f"source_{number}"
    tables.execute_sql(ticks_table(ticks))
    looked = tables.to_data_stream(tables.from_path(ticks)).key_by(one_key, key_type=Types.INT())
    read = looked.process(ReadFiles(folder), LINE).set_parallelism(1)
    read = _named(read, "Read files", f"read-{FILES}{folder}")
    tables.create_temporary_view(table, read, line_schema())
    return tables.to_data_stream(tables.sql_query(lines_of(table)))


def _write_lines(tables: Any, folder: Lines, rows: Any) -> None:
    """Write lines to files."""
    tables.execute_sql(lines_table(OUTPUTS, folder.path, folder.wait))
    table = tables.from_data_stream(_named(rows, "Make lines", "make-lines"))
    _insert(tables, OUTPUTS, table)


def _write(
    tables: Any, kafka: Kafka, topics: Mapping[str, str], rows: Any, name: str = OUTPUTS
) -> None:
    """Write records to their topics."""
    # No name of a job has a colon.
    prefix = kafka.name if name == OUTPUTS else f"{kafka.name}:{name}"
    statement = sink_table(
        name, kafka.brokers, topics.values(), prefix, kafka.transaction_ms, kafka.properties
    )
    tables.execute_sql(statement)
    _insert(tables, name, rows)


def _insert(tables: Any, name: str, rows: Any) -> None:
    statements = tables.create_statement_set()
    statements.add_insert(name, rows)
    with _ids(tables, name):
        statements.attach_as_datastream()


@contextmanager
def _ids(tables: Any, name: str) -> Iterator[None]:
    """Name the operators of a statement so that others may be added before it."""
    config = tables.get_config()
    config.set("table.exec.uid.format", f"{name}-<type>-<transformation>")
    yield
    config.set("table.exec.uid.format", UNIQUE)


@contextmanager
def _parallelism(env: Any, parallelism: int) -> Iterator[None]:
    """Give the operators that are added meanwhile another parallelism than that of the job."""
    before = env.get_parallelism()
    env.set_parallelism(parallelism)
    yield
    env.set_parallelism(before)


def _count(
    tables: Any,
    kafka: Kafka,
    topics: Mapping[str, str],
    steps: Any,
    lateness: int,
    encoding: Encoding,
) -> None:
    """Count metrics in windows.

    Lateness is judged apart: sums that are handed on in batches use watermarks of their own.
    """
    schema = Schema.new_builder().column("at", "BIGINT").column("lines", "STRING")
    timed = schema.column_by_expression("happened", "TO_TIMESTAMP_LTZ(`at`, 3)")
    timed.watermark("happened", "SOURCE_WATERMARK()")
    tables.create_temporary_view("steps", steps, timed.build())
    timely = tables.to_data_stream(tables.sql_query(timely_steps("steps", lateness)))
    tables.create_temporary_view("timely", timely)
    for name, value in SETTINGS.items():
        tables.get_config().set(name, value)
    tables.get_config().set("table.exec.state.ttl", f"{lateness + OUTAGE} s")
    numbers = tables.sql_query(numbers_of("timely"))
    changes = tables.to_changelog_stream(numbers, number_schema(), ChangelogMode.upsert())
    _name_by_place(changes, "numbers")
    rows = changes.process(PublishNumbers(topics, encoding), MESSAGE)
    kinds = {kind: topics[kind] for kind in METRICS}
    named = _named(rows, "Publish numbers", "publish-numbers")
    _write(tables, kafka, kinds, tables.from_data_stream(named), NUMBERS)


def _name_by_place(stream: Any, name: str) -> None:
    """Give the operators with an id by ``UNIQUE`` others, which do not depend on statements before."""
    end = stream._j_data_stream.getTransformation()  # noqa: SLF001
    found = []
    for one in end.getTransitivePredecessors():
        number, _, kind = (one.getUid() or "").partition("_")
        if number.isdecimal():
            found.append((int(number), kind, one))
    for place, (_, kind, one) in enumerate(sorted(found, key=itemgetter(0, 1))):
        one.setUid(f"{name}-{place}-{kind}")


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
        lateness=given.lateness,
        folder=given.folder,
    )
    env.execute(given.kafka.name)
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
