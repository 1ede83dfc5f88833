"""A folder of files is read in the order of names, once, from wherever the reading stopped."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from transforms.sources.files import monitored
from transforms.sources.files.monitored import Line, Monitored, Progress, decode, encode


def write(folder: Path, name: str, *lines: object) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)


def event(at: int, **more: object) -> dict[str, object]:
    return {"type": "track", "timestamp": at, **more}


def rest(files: Monitored, progress: Progress) -> tuple[list[Line], Progress]:
    """Read until nothing more is there; each step starts from the stored progress."""
    found: list[Line] = []
    while True:
        lines, progress = files.read(decode(encode(progress)))
        if not lines:
            return found, progress
        found += lines


def places(lines: list[Line]) -> list[tuple[str, int]]:
    return [(line.file, line.number) for line in lines]


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    """All lines are read once; a file that is added later is read, whatever its name is."""
    write(tmp_path, "b.jsonl", event(3_000_000_000_000))
    write(tmp_path, "a.jsonl.gz", event(1_000_000_000_000), event(2_000_000_000_000))
    write(tmp_path, ".c.jsonl", event(4_000_000_000_000))
    write(tmp_path, "d.csv", event(4_000_000_000_000))
    files = Monitored(tmp_path)

    found, progress = rest(files, Progress())
    assert places(found) == [("a.jsonl.gz", 1), ("a.jsonl.gz", 2), ("b.jsonl", 1)]
    write(tmp_path, "0.jsonl", event(1_500_000_000_000))
    found, progress = rest(files, progress)
    assert places(found) == [("0.jsonl", 1)]
    assert progress.at == 3_000_000_000_000
    assert rest(files, progress)[0] == []


@pytest.mark.parametrize("stop", range(1, 6))
def test_reading_goes_on_where_it_stopped(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart no line is missing or read again."""
    monkeypatch.setattr(monitored, "AT_ONCE", 2)
    write(tmp_path, "a.jsonl", *[event(n) for n in range(3)])
    write(tmp_path, "b.jsonl", *[event(n) for n in range(4)])
    found, progress, files = [], Progress(), Monitored(tmp_path)
    for _ in range(stop):
        lines, progress = files.read(progress)
        found += lines

    found += rest(Monitored(tmp_path), progress)[0]

    assert places(found) == [("a.jsonl", n) for n in (1, 2, 3)] + [
        ("b.jsonl", n) for n in (1, 2, 3, 4)
    ]


def test_times_are_those_of_ingestion(tmp_path: Path) -> None:
    """A line has its ingestion time, or that of its event; what has neither has the newest before."""
    write(
        tmp_path, "a.jsonl",
        event(1_000, receivedAt="2024-01-01T00:00:00Z"), event(2_000), {"type": "track"},
        {"type": "heartbeat", "receivedAt": "2024-01-02T00:00:00.5Z"},
    )  # fmt: skip
    with (tmp_path / "a.jsonl").open("ab") as file:
        file.write(b"no JSON\n\n")

    found, _ = rest(Monitored(tmp_path), Progress())

    first, second = 1_704_067_200_000, 1_704_153_600_500
    assert [line.at for line in found] == [first, 2_000, first, second, second]
    assert [line.heartbeat for line in found] == [False, False, False, True, False]
    assert found[3].body == b""


def test_a_wrong_time_moves_no_time(tmp_path: Path) -> None:
    """A time in microseconds, before 1970 or later than allowed counts as none, also in a heartbeat."""
    write(
        tmp_path, "a.jsonl",
        event(2_000), event(1_772_366_400_000_000), event(-5), event(3_001), event(3_000),
        {"type": "heartbeat", "receivedAt": 3_001},
    )  # fmt: skip

    found, _ = rest(Monitored(tmp_path, lambda: 3_000), Progress())

    assert [line.at for line in found] == [2_000, 2_000, 2_000, 2_000, 3_000, 3_000]


def test_lines_that_no_decoder_reads_are_passed_on(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, deep JSON and no JSON are lines like others: they become dead letters."""
    bad = [b'{"type":"caf\xe9"}', b'{"properties":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001, b"no"]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(bad) + b"\n")
    write(tmp_path, "b.jsonl", event(2_000_000_000_000))

    found, _ = rest(Monitored(tmp_path), Progress())

    assert [line.body for line in found[:3]] == bad
    assert places(found)[3] == ("b.jsonl", 1)


def test_files_may_be_removed(tmp_path: Path) -> None:
    """What is removed is forgotten: a file of the same name is read again. One that vanishes while it
    is read ends there.
    """
    write(tmp_path, "a.jsonl", event(1))
    _, progress = rest(Monitored(tmp_path), Progress())
    assert progress.finished == ("a.jsonl",)
    (tmp_path / "a.jsonl").unlink()
    write(tmp_path, "b.jsonl", event(2))
    found, progress = rest(Monitored(tmp_path), progress)

    assert places(found) == [("b.jsonl", 1)]
    assert progress.finished == ("b.jsonl",)
    assert rest(Monitored(tmp_path), Progress(file="gone.jsonl", number=3))[0] == found


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    """A file that cannot be read stops the job rather than being skipped."""
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"{}\n" * 10_000)[:40])

    with pytest.raises(OSError, match=r"a\.jsonl\.gz, line 3786"):
        rest(Monitored(tmp_path), Progress())
