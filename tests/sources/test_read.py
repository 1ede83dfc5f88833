"""Files of every format are read record by record; errors have their place."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import schemas
from transforms.flows.protocol.signals import Event
from transforms.sources.files import SOURCES, read
from transforms.wire.decode import decode, has_no_id
from transforms.wire.mapped import numbered, row_hash
from transforms.wire.mapping import Mapping, Property, TimeColumn
from transforms.wire.raw import Bad, Limits, Raw

MAPPING = Mapping(
    user="who",
    event_value="Purchase",
    time=TimeColumn("day"),
    properties={"amount": Property("usd", "number")},
)
ROWS = [
    {"who": "a", "day": "2024-05-01", "usd": "9.5"},
    {"who": "b", "day": "2024-05-02", "usd": "7"},
    {"who": "a", "day": "2024-05-01", "usd": "9.5"},
]
ENVELOPES: list[dict[str, Any]] = [
    {"type": "track", "messageId": f"m{n}", "userId": "u", "timestamp": 1_714_564_800_000 + n,
     "event": "Purchase", "properties": {"amount": n}}
    for n in range(3)
]  # fmt: skip


def store(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def as_csv(rows: Iterable[dict[str, str]]) -> bytes:
    return "".join(["who,day,usd\n", *(",".join(row.values()) + "\n" for row in rows)]).encode()


def as_json(records: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def ids(*paths: Path, mapping: Mapping | None = MAPPING) -> list[str]:
    """Return the ids of all events of the files, rows numbered within their hash, sorted."""
    seen: Counter[str] = Counter()
    found = []
    for path in paths:
        for raw in read(path, mapping):
            assert isinstance(raw, Raw)
            event = decode(raw, mapping)
            assert isinstance(event, Event)
            nameless = has_no_id(raw, mapping)
            seen[event.id] += nameless
            found.append(numbered(event.id, seen[event.id]) if nameless else event.id)
    return sorted(found)


def reasons(path: Path, mapping: Mapping | None = MAPPING, **limits: int) -> list[tuple[int, str]]:
    return [(b.line, b.reason) for b in read(path, mapping, Limits(**limits)) if isinstance(b, Bad)]


@pytest.mark.parametrize("ending", [ending for ending in SOURCES if "csv" in ending])
def test_csv_rows_are_read_with_their_lines(ending: str, tmp_path: Path) -> None:
    """Each row is a dict by column with the line where it begins; blank lines are skipped."""
    data = b'\xef\xbb\xbfwho,day,usd\r\na,2024-05-01,"9\n5"\r\n\r\nb,2024-05-02,7\r\n'
    path = store(tmp_path / f"x{ending}", data)

    assert list(read(path, MAPPING)) == [
        Raw(str(path), 2, {"who": "a", "day": "2024-05-01", "usd": "9\n5"}),
        Raw(str(path), 5, {"who": "b", "day": "2024-05-02", "usd": "7"}),
    ]


@pytest.mark.parametrize("ending", [ending for ending in SOURCES if "json" in ending])
def test_json_lines_are_read_with_their_lines(ending: str, tmp_path: Path) -> None:
    """Each line is a record; blank lines are skipped."""
    path = store(tmp_path / f"x{ending}", b'{"a":1}\n\n{"a":2}')

    assert list(read(path, MAPPING)) == [
        Raw(str(path), 1, b'{"a":1}'),
        Raw(str(path), 3, b'{"a":2}'),
    ]


def test_the_same_events_in_every_format_are_the_same_signals(tmp_path: Path) -> None:
    """JSON lines, CSV, Avro and Parquet of one envelope decode to equal events."""
    flat = [record | {"properties": json.dumps(record["properties"])} for record in ENVELOPES]
    moments = [
        record | {"timestamp": datetime.fromtimestamp(record["timestamp"] / 1000, UTC)}
        for record in ENVELOPES
    ]
    with (tmp_path / "x.avro").open("wb") as file:
        fastavro.writer(file, schemas.load("event"), flat, "deflate")
    pq.write_table(pa.Table.from_pylist(moments), tmp_path / "x.parquet")
    store(tmp_path / "x.jsonl", as_json(ENVELOPES))
    quoted = ['"{}"'.format(str(value).replace('"', '""')) for r in flat for value in r.values()]
    lines = [",".join(flat[0]), *(",".join(quoted[n : n + 6]) for n in (0, 6, 12))]
    store(tmp_path / "x.csv", "\n".join(lines).encode())

    decoded = {
        path.suffix: [decode(raw) for raw in read(path, None) if isinstance(raw, Raw)]
        for path in tmp_path.iterdir()
    }
    assert set(decoded) == {".avro", ".parquet", ".jsonl", ".csv"}
    assert all(found == decoded[".jsonl"] for found in decoded.values())
    assert [event.time % 10 for event in decoded[".jsonl"] if isinstance(event, Event)] == [0, 1, 2]


def test_equal_rows_both_count(tmp_path: Path) -> None:
    """Two equal purchases have two ids; in one file or three, in any order, they are the same."""
    whole = ids(store(tmp_path / "all.csv", as_csv(ROWS)))
    parts = [store(tmp_path / f"{n}.csv.gz", as_csv([row])) for n, row in enumerate(ROWS[::-1])]

    assert len(set(whole)) == 3
    assert ids(*parts) == whole


def test_the_order_of_columns_does_not_matter() -> None:
    """A row is hashed by the names of its columns; another value or name is another row."""
    row = ROWS[0]

    assert row_hash(dict(reversed(row.items()))) == row_hash(row)
    others = [
        row | {"usd": "9.50"},
        row | {"more": ""},
        dict(zip("abc", row.values(), strict=True)),
    ]
    assert len({row_hash(other) for other in [row, *others]}) == 4


def test_typed_rows_are_hashed_by_their_values() -> None:
    """Rows with dates, bytes and lists have ids too, the same each time."""
    row = {
        "d": date(2024, 5, 1),
        "b": b"\xff",
        "l": [1, {"x": None}],
        "t": datetime(2024, 5, 1, tzinfo=UTC),
    }

    assert row_hash(row) == row_hash(dict(row)) != row_hash(row | {"b": b"\xfe"})


def test_an_id_column_is_used_as_it_is(tmp_path: Path) -> None:
    """With an id column the ids are the column's, and duplicates keep theirs."""
    mapping = Mapping(user="who", event_value="E", time=TimeColumn("day"), id="usd")

    assert ids(store(tmp_path / "x.csv", as_csv(ROWS)), mapping=mapping) == ["7", "9.5", "9.5"]


def test_a_missing_column_is_reported_with_suggestions(tmp_path: Path) -> None:
    """The file is not read; each missing column has a reason and a suggestion."""
    path = store(tmp_path / "x.csv", b"whom,day,usd\na,2024-05-01,1\n")

    (found,) = read(path, MAPPING)
    assert found == Bad(
        str(path), 1, "missing_column",
        'there is no column "who"; did you mean "whom"? The columns are "whom", "day", "usd"',
    )  # fmt: skip


def test_a_table_without_envelope_needs_a_mapping(tmp_path: Path) -> None:
    """Without a mapping, a table of other columns is refused with a hint."""
    (found,) = read(store(tmp_path / "x.csv", as_csv(ROWS)), None)

    assert isinstance(found, Bad)
    assert "--map" in found.detail


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("x.txt", b"a", [(0, "unknown_format")]),
        ("x.csv", b"", [(1, "unreadable")]),
        ("x.csv", b"who,who\n", [(1, "wrong_columns")]),
        ("x.csv", b"\xff\xfe\n", [(1, "not_utf8")]),
        ("x.csv", b"who,day,usd\na,b\nc\xff,d,e\nf,g,h\n", [(2, "wrong_columns"), (3, "not_utf8")]),
        ("x.csv", b'who,day,usd\na,"b"c,d\ne,f,g\n', [(2, "not_csv")]),
        ("x.csv", b'who,day,usd\na,"b,c\nd', [(2, "not_csv"), (3, "wrong_columns")]),
        ("x.csv.gz", b"no gzip", [(1, "unreadable")]),
        ("x.jsonl.gz", b"{}\n", [(1, "unreadable")]),
        ("x.jsonl", gzip.compress(b"{}\n", mtime=0), [(1, "unreadable")]),
        ("x.json.gz", b"", []),
        ("x.jsonl.gz", gzip.compress(b"{}\n" * 9999, mtime=0)[:-9], [(10000, "unreadable")]),
        ("x.avro", b"", [(1, "unreadable")]),
        ("x.avro", b"Obj\x01garbage", [(1, "unreadable")]),
        ("x.parquet", b"", [(1, "unreadable")]),
        ("x.parquet", b"PAR1 garbage PAR1", [(1, "unreadable")]),
    ],
)
def test_a_broken_file_is_a_reason(
    name: str, data: bytes, expected: list[tuple[int, str]], tmp_path: Path
) -> None:
    """No file raises: errors have their line, and the rest is read."""
    (tmp_path / name).write_bytes(data)
    assert reasons(tmp_path / name) == expected


@pytest.mark.parametrize("ending", SOURCES)
def test_a_missing_file_is_a_reason(ending: str, tmp_path: Path) -> None:
    """A missing file is reported as missing, in every format."""
    (found,) = read(tmp_path / f"none{ending}", MAPPING)

    assert isinstance(found, Bad)
    assert (found.reason, found.detail) == ("unreadable", "No such file or directory")


def test_an_endless_line_is_skipped(tmp_path: Path) -> None:
    """A line over the limit is invalid, and the next one is read; its bytes are never kept."""
    path = store(tmp_path / "x.jsonl", b'{"a":1}\n' + b"x" * 5000 + b"\n" + b"y" * 100 + b"\n{}")

    assert reasons(path, line=100) == [(2, "too_large")]
    assert len(list(read(path, None, Limits(line=100)))) == 4


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    """Reading stops if a file unpacks to hundreds of times its size."""
    path = store(tmp_path / "x.jsonl.gz", b"{}\n" * 2_000_000)

    found = reasons(path, ratio_from=1_000_000)
    assert [reason for _, reason in found] == ["too_large"]
    assert found[0][0] < 1_000_000


def test_damage_never_raises(tmp_path: Path) -> None:
    """Bytes changed anywhere in a file of any format give records or reasons."""
    with (tmp_path / "x.avro").open("wb") as file:
        flat = [record | {"properties": "{}"} for record in ENVELOPES]
        fastavro.writer(file, schemas.load("event"), flat, "deflate")
    pq.write_table(pa.Table.from_pylist(ENVELOPES), tmp_path / "x.parquet")
    store(tmp_path / "x.csv.gz", as_csv(ROWS))
    draw = random.Random(4)
    for path in list(tmp_path.iterdir()):
        whole = path.read_bytes()
        for _ in range(150):
            broken = bytearray(whole)
            broken[draw.randrange(len(broken))] ^= 1 << draw.randrange(8)
            path.write_bytes(broken[: draw.randrange(1, len(broken) + 1)])
            found = list(read(path, MAPPING))
            assert all(isinstance(one, Raw | Bad) for one in found)
            assert all(decode(one, MAPPING) for one in found if isinstance(one, Raw))


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_the_number_of_columns_is_bounded(name: str, tmp_path: Path) -> None:
    """A table of more than 2,000 columns is refused at once, with their number."""
    path, names = tmp_path / name, [f"c{n}" for n in range(20_000)]
    if path.suffix == ".csv":
        path.write_text(",".join(names) + "\n" + "1," * 19_999 + "1\n")
    else:
        pq.write_table(pa.table({column: [1] for column in names}), path)

    (bad,) = read(path, MAPPING)
    assert isinstance(bad, Bad)
    assert (bad.reason, bad.detail) == ("too_large", "20,000 columns, more than 2,000")


def test_a_missing_column_lists_some_of_the_others(tmp_path: Path) -> None:
    """The message about a missing column lists 50 columns and counts the others."""
    path = tmp_path / "t.csv"
    path.write_text(",".join(f"c{n}" for n in range(2_000)) + "\n")

    bad = next(iter(read(path, MAPPING)))
    assert isinstance(bad, Bad)
    assert bad.detail.endswith('"c48", "c49" and 1,950 more')
