"""A file that is read in ranges of lines gives the records of the whole file, good and bad."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from transforms.sources.files import ranges, read
from transforms.wire.decode import decode
from transforms.wire.mapping import Mapping, TimeColumn
from transforms.wire.raw import WHOLE, Limits, Range, Raw

MAPPING = Mapping(user="who", event_value="Purchase", time=TimeColumn("day"))
SMALL = Limits(line=120)
ROWS = [b"u%d,2024-05-%02d" % (n, n) for n in range(1, 20)]
CSV = {
    "good": ROWS,
    "blank": [b"", *ROWS[:3], b"", b"\r", *ROWS[3:9], b""],
    "ragged": [b"a,b,c", *ROWS[:5], b"a", *ROWS[5:], b",,,"],
    "not utf-8": [b"\xff\xfe", *ROWS[:7], b"\xc3,2024-05-01", *ROWS[7:]],
    "too long": [*ROWS[:4], b"x" * 121, *ROWS[4:], b"y" * 130],
    "carriage returns": [row + b"\r" for row in ROWS] + [b"a\rb,2024-05-01", *ROWS[:3]],
    "bad values": [b",2024-05-01", *ROWS[:6], b"a,yesterday", b"a,", b"\x00,2024-05-01", *ROWS],
}
LINE = b'{"type":"track","messageId":"m%d","userId":"u","timestamp":1714564800000,"event":"A"}'
JSON = {
    "good": [LINE % n for n in range(20)],
    "bad": [b"", b"[1]", *(LINE % n for n in range(5)), b'{"a', b"\xff", b'"', b"{}", LINE % 9],
}


def stored(tmp_path: Path, name: str, lines: list[bytes], end: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(b"\n".join(lines) + end)
    return path


def same(path: Path, count: int) -> bool:
    """Read a file as a whole and in ranges; compare every record and its signal."""
    found = ranges(path, count)
    whole = list(read(path, MAPPING, SMALL))
    parts = [raw for part in found for raw in read(path, MAPPING, SMALL, part)]

    def signals(records: list) -> list:
        return [decode(raw, MAPPING) if isinstance(raw, Raw) else raw for raw in records]

    return parts == whole and signals(parts) == signals(whole) and len(found) > 1


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("count", [2, 3, 7, 40])
@pytest.mark.parametrize("name", CSV)
def test_rows(tmp_path: Path, name: str, count: int, end: bytes) -> None:
    """Rows of CSV, rejected ones and their line numbers do not depend on the ranges."""
    assert same(stored(tmp_path, "rows.csv", [b"\xef\xbb\xbfwho,day", *CSV[name]], end), count)


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("count", [2, 3, 7, 40])
@pytest.mark.parametrize("name", JSON)
def test_json_lines(tmp_path: Path, name: str, count: int, end: bytes) -> None:
    """Records of JSON lines, rejected ones and their line numbers do not depend on the ranges."""
    assert same(stored(tmp_path, "lines.jsonl", JSON[name], end), count)


def test_files_that_are_not_divided(tmp_path: Path) -> None:
    """Rows that may have several lines, packed files and very long lines are read as a whole."""
    quoted = stored(tmp_path, "quoted.csv", [b"who,day", *ROWS, b'"a\nb",2024-05-01'], b"\n")
    packed = stored(tmp_path, "rows.csv.gz", [gzip.compress(b"who,day\n")], b"")
    disguised = stored(tmp_path, "rows.csv", [gzip.compress(b"who,day\n")], b"")
    long = stored(tmp_path, "long.jsonl", [LINE % 1, b"x" * (3 << 20), LINE % 2], b"\n")

    for path in (quoted, packed, disguised, long, tmp_path / "missing.csv", tmp_path / "a.avro"):
        assert ranges(path, 4) == []


def test_an_unreadable_file_is_reported_once(tmp_path: Path) -> None:
    """A problem with the whole file is reported by its first range only."""
    path = stored(tmp_path, "rows.csv", [b"a,b", *ROWS], b"\n")

    assert len(list(read(path, MAPPING, SMALL, WHOLE))) == 2
    assert not list(read(path, MAPPING, SMALL, Range(50, 3)))
