"""A replay that used nothing, or whose times are wrong, says so at its end."""

from __future__ import annotations

import json
from pathlib import Path

from pipelines.replay.batches import MOST_NAMES, Tally
from tests.replay import kit
from tests.replay.kit import DAY, START, track

FEW = ["--shards", 1]


def replayed(tmp_path: Path, records: list[kit.Record], *more: object) -> kit.Done:
    """Replay the welcome flow over records."""
    events = kit.write_lines(tmp_path / "events.jsonl", records)
    return kit.replay(tmp_path / "out", events, more=[*FEW, *more])


def test_unread_events_are_named(tmp_path: Path) -> None:
    """If no flow uses any event, the frequent names are listed, with the name that was meant."""
    records = [track(n, "u", f"page {n % 12}", START) for n in range(24)]
    records += [track(100 + n, "u", "signup", START) for n in range(3)]
    done = replayed(tmp_path, records)

    assert done.code == 0
    assert "warning: no flow uses any event of the files" in done.err
    assert 'the flows use "Purchase", "Signup"' in done.err
    assert '3  "signup"; did you mean "Signup"?' in done.err
    assert done.err.count('  2  "page ') == 9
    assert replayed(tmp_path, records, "--strict").code == 1


def test_unread_events_are_in_the_report(tmp_path: Path) -> None:
    """The report as JSON counts unread events by name, whatever the split of the input."""
    records = [track(n, "u", name, START) for n, name in enumerate(["x", "y", "x", "Signup"])]
    events = kit.write_lines(tmp_path / "events.jsonl", records)
    found = [
        json.loads(kit.replay(tmp_path / f"out{n}", events, more=[*more, "--json"]).out)
        for n, more in enumerate([FEW, [], ["--shards", 40]])
    ]

    assert [report["unread_events"] for report in found] == [{"x": 2, "y": 1}] * 3


def test_a_replay_that_used_events_is_not_doubtful(tmp_path: Path) -> None:
    """One event that a flow uses is enough; --strict then changes nothing."""
    records = [track(1, "u", "Signup", START), track(2, "u", "Other", START)]
    done = replayed(tmp_path, records, "--strict")

    assert (done.code, "warning" in done.err) == (0, False)


def test_nothing_before_the_end(tmp_path: Path) -> None:
    """If every record is after --until, the first time of the records is named."""
    records = [track(n, "u", "Signup", START + (40 + n) * DAY) for n in range(3)]
    done = replayed(tmp_path, records, "--strict")

    assert done.code == 1
    until = "nothing lies before --until 2024-02-01T00:00:00"
    assert until in done.err
    assert "the first record is of 2024-02-10T00:00:00" in done.err


def test_times_in_1970(tmp_path: Path) -> None:
    """Seconds that are read as milliseconds are in 1970: the mapping's unit is named."""
    table = kit.write_csv(tmp_path / "rows.csv", [("u", START // 1000, "Signup", "")] * 3)
    mapping = tmp_path / "map.yaml"
    mapping.write_text(kit.MAP)
    done = kit.replay(tmp_path / "out", table, more=[*FEW, "--map", mapping, "--strict"])

    assert done.code == 1
    assert "3 of 3 times are in 1970" in done.err
    assert "unit: s" in done.err


def test_an_empty_input(tmp_path: Path) -> None:
    """Files without records are said to have none."""
    done = replayed(tmp_path, [], "--strict")

    assert (done.code, "the files have no records" in done.err) == (1, True)


def test_many_names_are_bounded() -> None:
    """The names that are kept do not depend on the split, however many there are."""
    names = [f"event {n}" for n in range(4 * MOST_NAMES)]
    whole, parts = Tally(), [Tally() for _ in range(3)]
    for n, name in enumerate(names):
        whole.add_unused(name)
        parts[n % 3].add_unused(name)
    joined = Tally()
    for part in parts:
        assert len(part.names) <= 2 * MOST_NAMES
        joined.add(part)

    assert joined.most_frequent(50) == whole.most_frequent(50)
