"""``towpath launch``: the entries of a launch, with permanent ids, from a list of people."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from towpath.cli.main import main
from transforms.flows.catalog.control_log import catalog_of, records_of
from transforms.flows.engine.step import fold
from transforms.flows.protocol.outputs import Done, Rejection, Transition
from transforms.flows.protocol.signals import Enter
from transforms.flows.reading.project import load_project
from transforms.wire.decode import decode_json

FLOW = "flow: invited\nenter: [{people: true}]\nsteps: {over: {end: told}}\n"
SPACE = "space: test\nzone: Europe/Berlin\naudiences: {vip: static}\n"
MEMBERS = "flow: invited\nenter: [{audience: vip, when: launch}]\nsteps: {over: {end: told}}\n"
EVENTS = "flow: invited\nenter: [{event: Signed Up}]\nsteps: {over: {end: told}}\n"
AT = ["--at", "2026-03-01T09:00"]


@pytest.fixture(autouse=True)
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "invited.yaml").write_text(FLOW)
    monkeypatch.chdir(tmp_path)


def launched(capsys: pytest.CaptureFixture[str], text: str, name: str = "spring") -> list[Enter]:
    Path("list").write_text(text)
    assert main(["launch", "invited.yaml", "list", "--launch", name, *AT]) == 0
    found = [decode_json(line.encode()) for line in capsys.readouterr().out.splitlines()]
    assert all(isinstance(entry, Enter) for entry in found)
    return found  # type: ignore[return-value]


def test_each_user_gets_one_entry(capsys: pytest.CaptureFixture[str]) -> None:
    """Each user gets one entry of the launch, even if listed twice (R22)."""
    found = launched(capsys, "kim\n\nlee\nkim\n")

    assert [(e.user, e.flow, e.launch, e.member_of) for e in found] == [
        ("kim", "invited", "spring", None),
        ("lee", "invited", "spring", None),
    ]
    assert {entry.time for entry in found} == {1772352000000}  # nine o'clock in Berlin


def test_ids_are_permanent(capsys: pytest.CaptureFixture[str]) -> None:
    """The same launch again has the same ids, another launch has others (R22, R30)."""
    first, again, other = (
        {entry.id for entry in launched(capsys, "kim\nlee\n", name)}
        for name in ("spring", "spring", "summer")
    )

    assert first == again
    assert len(first | other) == 4


def test_other_columns_become_entry_data(capsys: pytest.CaptureFixture[str]) -> None:
    """The other columns or fields of a list become the data of the entries."""
    rows = launched(capsys, 'user,city,note\nkim,Bonn,"a, b"\nlee,,\n')
    objects = launched(capsys, '{"user": "kim", "total": 20}\n{"user": "lee"}\n')

    assert [e.data for e in rows] == [{"city": "Bonn", "note": "a, b"}, {}]
    assert [e.data for e in objects] == [{"total": 20}, {}]


def test_a_launch_over_an_audience_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    """A launch over an audience names it, so that the core refuses users who are not members."""
    Path("invited.yaml").write_text(MEMBERS)

    assert [e.member_of for e in launched(capsys, "kim\n")] == ["vip"]


def test_a_repeated_launch_enters_nobody_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """The written entries enter the flow; the same launch months later is refused (R22)."""
    (entry,) = launched(capsys, "kim\n")
    late = msgspec.structs.replace(entry, id="retried", time=entry.time + 100 * 86_400_000)
    project = load_project({"space.yaml": SPACE, "invited.yaml": FLOW})
    log = records_of({"invited": project.flow_text("invited")}, SPACE, {})
    done = fold(catalog_of(log), None, (entry, late))

    assert isinstance(done, Done)
    assert [o.what for o in done.outputs if isinstance(o, Transition)].count("entered") == 1
    assert [o.reason for o in done.outputs if isinstance(o, Rejection)] == ["launched"]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('{"user": "kim"}\nnonsense\n', 1, "list:2: not a JSON object"),
        ("user,city\nkim,Bonn,x\n", 1, "list:2: more values than columns"),
        ('{"city": "Bonn"}\n', 1, "list:1: "),
        ("user,city\n,Bonn\n", 1, "list:2: "),
    ],
)
def test_unreadable_lines_are_reported(
    capsys: pytest.CaptureFixture[str], text: str, code: int, said: str
) -> None:
    """A line without a user is reported with its place, never with a traceback."""
    Path("list").write_text(text)

    assert main(["launch", "invited.yaml", "list", "--launch", "spring", *AT]) == code
    assert said in capsys.readouterr().err


def test_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    """A flow that takes no launch, an invalid time and a missing list are usage errors."""
    Path("list").write_text("kim\n")
    assert main(["launch", "invited.yaml", "list", "--launch", "a", "--at", "soon"]) == 2
    assert main(["launch", "invited.yaml", "nowhere", "--launch", "a"]) == 2
    Path("invited.yaml").write_text(EVENTS)
    assert main(["launch", "invited.yaml", "list", "--launch", "a"]) == 1
    Path("invited.yaml").write_text("flow: [\n")
    assert main(["launch", "invited.yaml", "list", "--launch", "a"]) == 1

    err = capsys.readouterr().err
    assert '"soon" is not a time' in err
    assert "people: true" in err
    assert "Traceback" not in err
