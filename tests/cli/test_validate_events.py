"""``towpath validate-events``: every invalid record with its line and a hint; counts; exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

import schemas
from towpath.cli.main import main
from towpath.cli.validate_events import HINTS
from transforms.flows.protocol.reason_codes import RECORDS

GOOD = {
    "type": "track", "messageId": "m1", "userId": "kim", "timestamp": "2026-03-01T09:00:00Z",
    "event": "Bought",
}  # fmt: skip
WHO = {"type": "identify", "messageId": "m2", "userId": "kim", "timestamp": 1_772_355_600_000}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def without(record: dict[str, Any], *names: str, **more: Any) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in names} | more


def write(path: Path, *records: dict[str, Any] | str) -> None:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in records]
    path.write_text("\n".join(lines) + "\n")


def test_valid_records(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Valid records are counted by kind, and the exit code is 0."""
    write(folder / "a.jsonl", GOOD, WHO, "", GOOD)

    assert main(["validate-events", "a.jsonl"]) == 0
    assert capsys.readouterr() == ("", "3 records (2 event, 1 profile), 0 bad\n")


def test_invalid_records(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each invalid record has a line with file, line, reason and hint; the exit code is 1."""
    write(
        folder / "a.jsonl",
        GOOD,
        "{",
        without(GOOD, "userId", user_id="kim"),
        without(GOOD, "messageId", messageID="m1"),
        without(GOOD, "event"),
        without(GOOD, timestamp=1_772_355_600),
        without(GOOD, properties={"note": "x" * 33_000}),
        without(GOOD, type="page"),
    )

    assert main(["validate-events", "a.jsonl"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        ("a.jsonl:2: it is not JSON in UTF-8: a record must be on one line; jq -c . writes it so "
        "[not_json]"),
        'a.jsonl:3: neither userId nor anonymousId; "user_id" must be written "userId" [missing]',
        ('a.jsonl:4: Object missing required field `messageId`; "messageID" must be written '
        '"messageId" [missing]'),
        "a.jsonl:5: Object missing required field `event` [missing]",
        ("a.jsonl:6: timestamp is not a number of milliseconds since 1970: it looks like seconds; "
        "multiply it by 1000 [out_of_range]"),
        ("a.jsonl:7: values of more than 32768 bytes; a record may have at most 256 KiB, each of its "
        "maps 32 KiB [too_large]"),
        ('a.jsonl:8: "type" must be one of track, identify, audience, communication, inbound, enter, '
        "call_result, command, handover, forwarded, alias [invalid]"),
        "8 records (1 event), 7 bad",
    ]  # fmt: skip


def test_json_prints_one_object_per_invalid_record(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--json`` prints one object per invalid record to stdout."""
    write(folder / "a.jsonl", GOOD, without(GOOD, "userId", UserId="kim"))

    assert main(["validate-events", "--json", "a.jsonl"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "path": "a.jsonl",
        "line": 2,
        "code": "missing",
        "message": "neither userId nor anonymousId",
        "help": '"UserId" must be written "userId"',
    }


def test_avro_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Avro files of the schemas are checked like JSON lines; records count from 1."""
    rows = [GOOD | {"timestamp": 1_772_355_600_000, "properties": '{"n":1}'}]
    rows.append(rows[0] | {"userId": None})
    with (folder / "a.avro").open("wb") as file:
        fastavro.writer(file, schemas.load("event"), rows)

    assert main(["validate-events", "a.avro"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "a.avro:2: neither userId nor anonymousId [missing]",
        "2 records (1 event), 1 bad",
    ]


def test_several_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be read counts as one invalid record; the others are still checked."""
    write(folder / "a.jsonl", GOOD)
    (folder / "b.txt").write_text("{}")
    (folder / "c.avro").write_text("no avro")

    assert main(["validate-events", "b.txt", "c.avro", "a.jsonl"]) == 1
    err = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in err[:-1]] == ["b.txt", "c.avro"]
    assert err[-1] == "3 records (1 event), 2 bad"


def test_values_are_not_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report names fields and never shows their values, so that it can be shared."""
    secret = "ada@example.com"
    write(
        folder / "a.jsonl",
        without(GOOD, timestamp=secret),
        without(GOOD, userId=[secret]),
        without(GOOD, "userId", userID=secret),
    )

    assert main(["validate-events", "a.jsonl"]) == 1
    assert secret not in capsys.readouterr().err


def test_a_missing_file_is_a_usage_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that does not exist is a usage error: exit code 2, without a traceback."""
    assert main(["validate-events", "nowhere.jsonl"]) == 2
    assert capsys.readouterr().err == "error: nowhere.jsonl: no such file\n"


def test_hints_belong_to_known_reasons() -> None:
    """Every hint is for a reason that exists."""
    assert set(HINTS) <= set(RECORDS)


def test_a_table_with_a_mapping(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table with a mapping is checked as a replay would read it."""
    (folder / "map.yaml").write_text("user: who\ntime: at\nevent: {value: Bought}\n")
    (folder / "sales.csv").write_text("who,at\nkim,2026-03-01\nlee,yesterday\n")

    assert main(["validate-events", "sales.csv", "--map", "map.yaml"]) == 1
    shown = capsys.readouterr()
    assert "sales.csv:3: " in shown.out + shown.err
    assert "2 records (1 event), 1 bad" in shown.out + shown.err


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"who;at\nkim;2026-03-01\n", "separated by semicolons; separate columns by commas"),
        (b"who\tat\nkim\t2026-03-01\n", "separated by tabs"),
        ("who,at\nkim,2026-03-01\n".encode("utf-16"), "UTF-16, not UTF-8; try iconv"),
        (b"wh\xff,at\nkim,2026-03-01\n", "not UTF-8 text"),
    ],
)
def test_other_separators_and_encodings_are_reported_once(
    folder: Path, capsys: pytest.CaptureFixture[str], data: bytes, said: str
) -> None:
    """A table with another separator or encoding is reported once, and not for each column."""
    (folder / "map.yaml").write_text("user: who\ntime: at\nevent: {value: Bought}\n")
    (folder / "sales.csv").write_bytes(data)

    assert main(["validate-events", "sales.csv", "--map", "map.yaml"]) == 1
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
    assert "1 record, 1 bad" in shown.out + shown.err
