"""``towpath flows publish``: previews, migrations, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.cli.flows.kit import AT, REMIND, SPACE, Out, flows, records
from transforms.flows.protocol.control_records import (
    Publish,
    SetSpace,
)


def test_every_problem_of_a_flow_has_its_place(quiet: Out) -> None:
    """All problems of a version are shown at once, with their places; nothing is written."""
    Path("remind.yaml").write_text(REMIND.replace("wait_for", "wait_four").replace("within", "in"))
    before = records()

    assert flows("publish", "remind.yaml") == 1
    err = quiet.readouterr().err
    assert "remind.yaml:4:" in err
    assert "remind.yaml:6:" in err
    assert "problems: nothing was written" in err
    assert records() == before


def test_the_goals_of_a_flow_file_have_their_places(quiet: Out) -> None:
    """Goals are taken from a flow file; their problems have the places in that file."""
    Path("remind.yaml").write_text(REMIND.replace("within: 2d", "within: 2 days of work"))
    assert flows("goals", "remind", "remind.yaml") == 1
    assert "remind.yaml:4:" in quiet.readouterr().err
    Path("remind.yaml").write_text(REMIND.replace("within: 2d", "within: 3d"))

    assert flows("goals", "remind", "remind.yaml", *AT) == 0
    assert records()[-1].text == "goals:\n  ordered: {event: Order, within: 3d}\n"


def test_a_preview_says_what_a_version_changes(quiet: Out) -> None:
    """A new version is shown against the one before."""
    text = REMIND.replace("after: 1h", "after: 2h").replace("within: 2d", "within: 3d")
    Path("remind.yaml").write_text(text)
    Path("messages/note.liquid").write_text("Your cart waits for you.\n")

    assert flows("publish", ".", "--dry-run", *AT) == 0
    assert quiet.readouterr().out == (
        "publish remind: version 1 → version 2\n"
        "  changed steps: ordering\n"
        "  changed sections: goals\n"
        "  changed templates: note\n"
        "  running sessions keep their version\n"
        "publish thank: version 1\n"
        "  first version, with the steps pause\n"
        "nothing was written: --dry-run\n"
    )
    assert len(records()) == 3


def test_a_migration_says_who_goes_where(
    quiet: Out, indexed: Callable[[Mapping[tuple[int, str], int]], None]
) -> None:
    """The preview counts the sessions that stay, go on at a successor, and end."""
    text = REMIND.replace("ordering:", "thinking:").replace("after: 1h", "after: 2h")
    Path("remind.yaml").write_text(text)
    indexed({(1, "ordering"): 1200, (1, "style"): 1})

    assert flows("publish", "remind.yaml", "--migrate", "--dry-run", *AT) == 0
    out = quiet.readouterr().out
    assert "1 session of version 1 stay at their steps" in out
    assert "1,200 sessions at ordering of version 1 end with the reason flow_changed" in out
    assert "1,201 sessions concerned: 1,201 of version 1" in out
    assert flows("publish", "remind.yaml", "--migrate", *AT) == 2  # sessions end
    quiet.readouterr()
    with_successor = ["--migrate", "--successor", "ordering=thinking", "--json", *AT]
    assert flows("publish", "remind.yaml", *with_successor) == 0
    said = json.loads(quiet.readouterr().out)
    assert said["written"]
    assert said["changes"][0]["sessions"] == [
        {"version": 1, "step": "ordering", "sessions": 1200},
        {"version": 1, "step": "style", "sessions": 1},
    ]
    assert said["records"][0]["successors"] == {"ordering": "thinking"}


@pytest.mark.parametrize(
    ("text", "words", "says"),
    [
        (REMIND.replace("ordering:", "thinking:"), ["--successor", "ordering=nowhere"],
         "there is no step nowhere"),
        (REMIND.replace("after: 1h", "after: 1h").replace("bold: {send",
         "bold: {wait_for: [{when: user.a == entry.price, then: over}], timeout: {after: 1h, "
         "then: last}}\n  last: {send"), [], "reads entry.price"),
    ],
)  # fmt: skip
def test_a_migration_that_cannot_be_followed_is_refused(
    text: str, words: list[str], says: str, quiet: Out
) -> None:
    """What the log would refuse of a migration is refused before it is written."""
    Path("remind.yaml").write_text(text)

    assert flows("publish", "remind.yaml", "--migrate", "--yes", *words) == 1
    assert says in quiet.readouterr().err
    assert len(records()) == 3


def test_another_space_is_published_only_if_asked_for(quiet: Out) -> None:
    """Flows are checked in the space that the log has; a file that differs is mentioned."""
    Path("space.yaml").write_text(SPACE + "  fax: {address: user}\n")
    Path("remind.yaml").write_text(REMIND.replace("bold: {send: log", "bold: {send: fax"))

    assert flows("publish", "remind.yaml") == 1
    err = quiet.readouterr().err
    assert "space.yaml differs from the space in the log; add --space" in err
    assert "remind.yaml:9:" in err
    assert flows("publish", "remind.yaml", "--space", *AT) == 0
    assert [type(record) for record in records()[3:]] == [SetSpace, Publish]


def test_a_flow_without_its_space_is_published_in_that_of_the_log(quiet: Out) -> None:
    """A folder without space.yaml is enough for a new version of a flow."""
    Path("space.yaml").unlink()
    Path("remind.yaml").write_text(REMIND.replace("after: 1h", "after: 2h"))

    assert flows("publish", "remind.yaml", *AT) == 0
    assert "differs" not in quiet.readouterr().err
    assert [type(record) for record in records()[3:]] == [Publish]


def test_flows_that_own_the_same_keyword_are_refused(quiet: Out) -> None:
    """Two flows that would both run with a keyword of a number cannot both be started."""
    numbers = "numbers:\n  '4001': {messages: log}\n"
    Path("space.yaml").write_text(SPACE + numbers)
    for name in ("yes", "aye"):
        path, trigger = Path(f"{name}.yaml"), "enter: [{inbound: YES, number: '4001'}]"
        path.write_text(f"flow: {name}\n{trigger}\nsteps: {{over: {{end: x}}}}\n")
        assert flows("publish", path.name, "--space", *AT) == 0
        path.unlink()

    assert flows("start", "yes", "aye", "--at", "2030-01-02") == 1
    assert "would both run with the keyword" in quiet.readouterr().err
    assert flows("start", "yes", "--at", "2030-01-02") == 0
