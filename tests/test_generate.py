"""The generated stream: the same for the same seed, and with every documented flaw."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from towpath.cli.main import main
from towpath.generate import lines, records

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).with_name("generated.seed7.jsonl")


@pytest.fixture(scope="module")
def stream():
    return records(7, 400, 60)


def test_golden(rewrite):
    """Seed 7 begins with the lines in the golden file."""
    first = "".join(f"{line}\n" for line in list(lines(7, 1000, 60))[:5])
    if rewrite:
        GOLDEN.write_text(first, encoding="utf-8")

    assert first == GOLDEN.read_text(encoding="utf-8")


def test_hash_seed():
    """Two processes with different hash seeds write the same bytes (R4)."""
    options = ["--users", "20", "--bad", "5"]
    command = [sys.executable, "-m", "towpath.cli.main", "generate", *options]
    written = [
        subprocess.run(
            command, cwd=ROOT, capture_output=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]

    assert written[0] == written[1]
    assert len(written[0].splitlines()) > 100


def test_more_users_do_not_change_the_first_ones(stream):
    """The records of a user depend only on seed, user and days."""
    few = records(7, 20, 60)
    users = {record["userId"] for record in few}

    assert few == [record for record in stream if record["userId"] in users]


def test_another_seed_is_another_stream():
    """Another seed gives another stream."""
    assert records(7, 3, 60) != records(8, 3, 60)


def test_order_of_arrival(stream):
    """Records are in order of ingestion time, and the event time of many is earlier."""
    arrivals = [record["receivedAt"] for record in stream]
    times = [record["timestamp"] for record in stream]

    assert arrivals == sorted(arrivals)
    assert times != sorted(times)


def test_the_time_span(stream):
    """All events are within the requested days, from 1 February 2024 on."""
    times = [record["timestamp"] for record in stream]

    assert min(times) >= "2024-02-01"
    assert max(times) < "2024-04-01"


def test_flaws(stream):
    """There are duplicates with the same and a later ingestion time, late records, and clocks
    ahead.
    """
    copies = Counter(record["messageId"] for record in stream)
    equal = Counter(json.dumps(record) for record in stream)
    lags = [_seconds(record["receivedAt"]) - _seconds(record["timestamp"]) for record in stream]

    assert max(copies.values()) == 2
    assert sum(n == 2 for n in copies.values()) > sum(n == 2 for n in equal.values()) > 0
    assert 0.02 < sum(lag > 600 for lag in lags) / len(lags) < 0.04
    assert 0 < sum(lag < 0 for lag in lags) / len(lags) < 0.01


def test_profiles(stream):
    """Zones are valid, invalid and missing; some birthdays are a leap day; consent comes and goes."""
    identified = [record for record in stream if record["type"] == "identify"]
    first = {record["userId"]: record["traits"] for record in reversed(identified)}
    zones = {traits.get("timezone") for traits in first.values()}
    changes = [r["consent"] for r in identified if not r["traits"] and "consent" in r]

    assert None in zones
    assert {"Europe/Berlin", "Australia/Lord_Howe", "Mars/Olympus_Mons"} <= zones
    assert any(traits.get("birthday", "").endswith("02-29") for traits in first.values())
    assert {value for change in changes for value in change.values()} == {True, False}
    assert any(record["traits"].get("phone", "") is None for record in identified)


def test_the_valid_zones_exist(stream):
    """Zones are valid, except the three listed as invalid."""
    zones = {record["traits"].get("timezone") for record in stream if record["type"] == "identify"}
    broken = {"Mars/Olympus_Mons", "CEST+2", "", None}

    assert all(ZoneInfo(zone) for zone in zones - broken)


def test_all_kinds_of_events_occur(stream):
    """All kinds of events occur, and an order names a cart that was updated before."""
    tracked = [record for record in stream if record["type"] == "track"]
    carts = {r["properties"]["cart_id"] for r in tracked if r["event"] == "Cart Updated"}
    orders = {r["properties"]["cart_id"] for r in tracked if r["event"] == "Order Completed"}

    assert {record["event"] for record in tracked} == {
        "Signed Up", "App Opened", "Page Viewed", "Cart Updated", "Order Completed",
        "Email Opened", "Email Clicked",
    }  # fmt: skip
    assert orders
    assert len(orders - carts) < len(orders) / 10


def test_invalid_lines():
    """``bad`` adds exactly this number of lines, and does not change the valid ones."""
    good, mixed = list(lines(7, 10, 30)), list(lines(7, 10, 30, bad=25))

    assert len(mixed) == len(good) + 25
    assert list(_without(mixed, good)) != []
    assert Counter(good) - Counter(mixed) == Counter()


def test_the_command_writes_a_file(tmp_path, capsys):
    """``--out`` writes the stream to a file and prints its number of lines."""
    out = tmp_path / "events.jsonl"

    assert main(["generate", "--users", "5", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8").splitlines() == list(lines(7, 5, 60))
    assert "of 5 users" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--users", "0"], ["--days", "-1"], ["--bad", "x"]])
def test_impossible_counts_are_usage_errors(option, capsys):
    """Impossible counts are refused with exit code 2."""
    assert main(["generate", *option]) == 2
    assert option[0] in capsys.readouterr().err


def test_a_missing_folder_is_reported(tmp_path, capsys):
    """A folder that does not exist is reported, without a traceback."""
    assert main(["generate", "--users", "1", "--out", str(tmp_path / "no" / "x.jsonl")]) == 2
    assert "no such file" in capsys.readouterr().err


def _seconds(text):
    return datetime.fromisoformat(text).timestamp()


def _without(mixed, good):
    known = set(good)
    return (line for line in mixed if line not in known)
