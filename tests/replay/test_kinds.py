"""Only the kinds of rows that were chosen are written (``--kinds``)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.replay import kit

SOME = ("message", "transition")


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Write nine signups, a third of them with a purchase, and a line that is not JSON."""
    found = [r for n in range(9) for r in kit.life(f"u{n}", 10 * n, n % 3, None if n % 3 else 2)]
    path = kit.write_lines(tmp_path / "events.jsonl", found)
    path.write_bytes(path.read_bytes() + b"not json\n")
    return path


@pytest.mark.parametrize("more", [[], kit.BEAM])
def test_chosen_kinds_are_those_of_a_replay_of_all(
    events: Path, tmp_path: Path, more: list[object]
) -> None:
    """The chosen tables, and that of rejected records, are written as in a replay of all kinds."""
    kit.replay(tmp_path / "all", events)
    done = kit.replay(tmp_path / "some", events, more=["--kinds", "message, transition", *more])
    every, some = kit.contents(tmp_path / "all"), kit.contents(tmp_path / "some")

    assert done.code == 1
    assert some == {
        name: data for name, data in every.items() if name.startswith((*SOME, "dead_letter"))
    }
    assert {name.split("/")[0] for name in some} == {*SOME, "dead_letter"}


def test_without_its_tables_there_is_no_report(events: Path, tmp_path: Path) -> None:
    """The report is not computed from some of its tables: the command names those that it lacks."""
    kit.replay(tmp_path / "out", events)
    done = kit.replay(tmp_path / "out", events, more=["--kinds", "message"])

    assert done.out == ""
    assert "they need call, communication, conversion, rejection, transition in --kinds" in done.err
    assert not list((tmp_path / "out").glob("*.svg"))
    assert not list((tmp_path / "out").glob("flow_metric/*/*.parquet"))


def test_the_report_needs_no_more_than_its_tables(events: Path, tmp_path: Path) -> None:
    """With the tables that the report needs, report, pictures and metrics are those of all kinds."""
    kinds = "transition,message,communication,conversion,rejection,call"
    every = kit.replay(tmp_path / "a" / "out", events)
    some = kit.replay(tmp_path / "b" / "out", events, more=["--kinds", kinds])
    expected = kit.contents(tmp_path / "a" / "out")

    assert some.out == every.out
    assert kit.contents(tmp_path / "b" / "out") == {
        name: data for name, data in expected.items() if not name.startswith("flow_state/")
    }


def test_commands_name_the_tables_that_they_lack(events: Path, tmp_path: Path) -> None:
    """A command that needs a table that was not chosen names it, instead of finding nothing."""
    out = tmp_path / "out"
    kit.replay(out, events, more=["--kinds", "transition,conversion"])
    explained = kit.towpath("explain", "u1", "--out", out)
    compared = kit.towpath("diff", out, out)
    query = kit.towpath("query", out, "select count(*) as n from transition")

    assert (explained.code, compared.code) == (2, 2)
    assert "has no audience_update, call, communication, emitted" in explained.err
    assert f"{out} has no message: this replay wrote only some kinds" in compared.err
    assert "wrote only conversion, dead_letter, transition; other tables are empty" in query.err
    assert json.loads((out / "replay.json").read_text())["kinds"] == [
        "conversion", "dead_letter", "transition",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ("mesage", 'no kind "mesage"; did you mean "message"?'),
        ("flow_metric", "flow_metric is counted from call, communication, conversion, message"),
        (",", "name at least one kind"),
    ],
)
def test_names_of_kinds_are_checked(events: Path, tmp_path: Path, kinds: str, said: str) -> None:
    """A kind that does not exist, or a metric, is refused with what to write instead."""
    done = kit.replay(tmp_path / "out", events, more=["--kinds", kinds])

    assert done.code == 2
    assert said in done.err


def test_json_needs_the_tables_of_the_report(events: Path, tmp_path: Path) -> None:
    """--json is refused before the replay if the report cannot be computed."""
    done = kit.replay(tmp_path / "out", events, more=["--kinds", "message", "--json"])

    assert done.code == 2
    assert "--json prints the report, which needs call, communication" in done.err
    assert not (tmp_path / "out").exists()
