"""``towpath flows``: what each command says, writes and refuses."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.cli.flows.kit import AT, CONTROL, REMIND, Out, flows, records
from tests.control.outputs_of import event, outputs_of
from towpath.cli.flows import change, log
from towpath.control.index import Index
from towpath.control.store import AHEAD, store_of
from transforms.flows.catalog.control_log import catalog_of
from transforms.flows.protocol.control_records import (
    Pause,
    Publish,
    SetSpace,
    Start,
    Stop,
)


def test_the_first_publication_brings_the_space(capsys: Out) -> None:
    """The first flow is published with its space and templates; it is a draft until it starts."""
    assert flows("publish", "remind.yaml", *AT) == 0

    assert capsys.readouterr().out == (
        "space\n"
        "  first settings and audiences of the space\n"
        "publish remind: version 1\n"
        "  first version, with the steps ordering, style, plain, bold, over\n"
        "written: records 0 to 1, effective 2030-01-01 09:00:00 Europe/Berlin\n"
    )
    space, version = records()
    assert isinstance(space, SetSpace)
    assert isinstance(version, Publish)
    assert (version.version, version.text, version.by) == (1, REMIND, "kim")
    assert version.templates == {"note": "Your cart waits.\n"}
    assert version.made_at is not None


def test_a_story_of_a_flow(quiet: Out) -> None:
    """Each command says what changes, in words, and when; the zone is that of the space."""
    assert flows("pause", "remind", "--note", "wrong price", *AT) == 0
    assert quiet.readouterr().out == (
        "pause remind: running → paused\n"
        "  no user enters and no step runs; sessions still notice what they wait for\n"
        "  at the resume, sessions go on with what was decided meanwhile\n"
        "  how many sessions are concerned is not known: there is no index (--index)\n"
        "written: record 3, effective 2030-01-01 09:00:00 Europe/Berlin\n"
    )
    assert flows("resume", "remind", "--at", "2030-01-02") == 0
    assert flows("history", "remind", "--last", "2") == 0
    last = [line.split("  ") for line in quiet.readouterr().out.splitlines()[-2:]]
    assert [[cell.strip() for cell in line if cell][0:4] for line in last] == [
        ["3", "2030-01-01 09:00:00 Europe/Berlin", "pause", "remind"],
        ["4", "2030-01-02 00:00:00 Europe/Berlin", "resume", "remind"],
    ]
    assert last[0][-1] == "wrong price"


def test_a_record_takes_effect_soon_after_now(quiet: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default a record takes effect ten seconds later, or after the log is complete."""
    monkeypatch.setattr(log, "now", lambda: 1_800_000_000_000)
    assert flows("pause", "remind") == 0
    assert records()[-1].effective_at == 1_800_000_010_000
    store = store_of(CONTROL)
    store.complete(store.read(), 1_800_000_100_000)

    assert flows("resume", "remind") == 0
    assert records()[-1].effective_at == 1_800_000_105_000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["start", "remind"], "cannot start remind: it is running already"),
        (["resume", "remind"], "cannot resume remind: it is not paused"),
        (["pause", "thank"], 'the flow "thank" is not published; towpath flows list'),
        (["pause", "remin"], 'the flow "remin" is not published; did you mean "remind"?'),
        (["publish", "remind.yaml"], "nothing to publish"),
        (["priority", "remind", "0"], "remind has the priority 0 already"),
        (["goals", "remind", "remind.yaml"], "remind has these goals already"),
        (["goals", "remind", "thank.yaml"], "thank.yaml has no section goals"),
        (["winner", "remind", "style", "italic"], 'has no branch "italic" that can win'),
        (["winner", "remind", "over", "bold"], '"remind/over" is not a split'),
        (["kill", "remind", "--off"], "of remind are not blocked already"),
        (["kill", "--channel", "fax"], "names channel fax, which is none"),
        (["schedule", "remind", "--end", "soon"], '--end: "soon" is not a time'),
        (["schedule", "remind", "--start", "2030-02-01", "--end", "2030-01-01"],
         "ends at 2030-01-01, not after its start"),
    ],
)  # fmt: skip
def test_what_changes_nothing_or_cannot_be_followed_is_refused(
    words: list[str], says: str, quiet: Out
) -> None:
    """A change that the log would refuse, or that would do nothing, is refused with the reason."""
    before = records()

    assert flows(*words) == 1
    assert says in quiet.readouterr().err
    assert records() == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pause", "remind", "--at", "soon"], '--at: "soon" is not a time'),
        (["kill"], "name a flow, a --channel or both, or say --all"),
        (["kill", "remind", "--all"], "name a flow, a --channel or both, or say --all"),
        (["schedule", "remind"], "say --start, --end or both"),
        (["publish", "remind.yaml", "--successor", "a=b"], "it needs --migrate"),
        (["publish", "remind.yaml", "--migrate", "--successor", "a"], "write OLD=NEW"),
        (["publish", ".", "--migrate", "--successor", "a=b"], "names steps of one flow"),
        (["publish", "nowhere.yaml"], "no such file or folder"),
        (["list", "--control", "s3://bucket/log"], 'cannot write a control log to "s3://"'),
        (["pause"], "the following arguments are required: FLOW"),
        (["pasue", "remind"], "invalid choice: 'pasue'"),
    ],
)
def test_wrong_usage_is_told(words: list[str], says: str, quiet: Out) -> None:
    """What was typed wrongly has exit code 2."""
    assert flows(*words) == 2
    assert says in quiet.readouterr().err


def test_the_log_must_be_named(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    """Without an address the message says how to give one."""
    monkeypatch.delenv("TOWPATH_CONTROL")

    assert flows("list") == 2
    assert "--control or the variable TOWPATH_CONTROL" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["stop", "remind"], ["archive", "remind"]])
def test_ending_sessions_needs_a_yes(words: list[str], quiet: Out) -> None:
    """A command that ends sessions is refused without --yes if nobody can be asked."""
    assert flows(*words) == 2
    assert "this ends sessions: add --yes" in quiet.readouterr().err
    assert flows(*words, "--dry-run") == 0
    assert len(records()) == 3
    assert flows(*words, "--yes", *AT) == 0
    assert len(records()) == 4


class Terminal(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_at_a_terminal_a_question_is_asked(
    typed: str, code: int, quiet: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal the user is asked after seeing what changes."""
    monkeypatch.setattr("sys.stdin", Terminal(typed))

    assert flows("stop", "remind", *AT) == code
    seen = quiet.readouterr()
    assert "running → finished" in seen.out
    assert "This ends sessions. Continue? [y/N]" in seen.err
    assert isinstance(records()[-1], Stop) is (code == 0)


def test_resuming_may_end_sessions(quiet: Out) -> None:
    """The resume of a pause that skips ends sessions whose wait has run out."""
    assert flows("pause", "remind", "--resume", "skip", *AT) == 0
    assert flows("resume", "remind", "--at", "2030-02-01") == 2
    out = quiet.readouterr().out
    assert "at the resume, sessions whose wait has run out end" in out
    assert flows("resume", "remind", "--at", "2030-02-01", "--yes") == 0


def test_another_writer_is_noticed(quiet: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """If somebody else changes the log while the user thinks, nothing is written."""

    def meanwhile(*_: object) -> None:
        store, held = store_of(CONTROL), store_of(CONTROL).read()
        store.append(held, [Pause(sequence=3, effective_at=1_893_456_000_000, flow="remind")])

    monkeypatch.setattr(change, "_confirm", meanwhile)

    assert flows("stop", "remind", "--yes", *AT) == 1
    assert "has other records by now: nothing was written" in quiet.readouterr().err
    assert [type(record) for record in records()[3:]] == [Pause]


def test_a_user_may_think_for_long(quiet: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the log was completed meanwhile, the record takes effect later than that."""
    later = log.now() + 60_000

    def meanwhile(*_: object) -> None:
        store = store_of(CONTROL)
        store.complete(store.read(), later)

    monkeypatch.setattr(change, "_confirm", meanwhile)

    assert flows("stop", "remind") == 0
    assert records()[-1].effective_at == later + AHEAD
    assert flows("archive", "remind", "--at", "2026-02-01") == 1
    assert "choose a later --at" in quiet.readouterr().err


def test_the_list_shows_what_holds_and_what_comes(
    quiet: Out, indexed: Callable[[Mapping[tuple[int, str], int]], None]
) -> None:
    """A line for each flow: status, version, sessions, the last change and those to come."""
    indexed({(1, "ordering"): 7})
    assert flows("pause", "remind", "--note", "wrong price", *AT) == 0
    assert flows("publish", "thank.yaml", *AT) == 0
    assert flows("kill", "--channel", "log", "--at", "2026-02-01") == 0
    quiet.readouterr()

    assert flows("list") == 0
    assert quiet.readouterr().out.splitlines() == [
        "flow    status   version  priority  sessions  last change",
        "remind  running  1        0         7         start at 2026-01-01 10:00:00 Europe/Berlin by kim",
        "thank   draft             0         0",
        "  remind to come: pause at 2030-01-01 09:00:00 Europe/Berlin by kim: wrong price",
        "  thank to come: publish version=1 at 2030-01-01 09:00:00 Europe/Berlin by kim",
        "blocked: log (towpath flows kill … --off)",
    ]
    assert flows("list", "remind", "--json") == 0
    row = json.loads(quiet.readouterr().out)
    assert (row["flow"], row["status"], row["version"]) == ("remind", "running", 1)
    assert row["sessions"] == [{"version": 1, "step": "ordering", "sessions": 7}]


def test_numbers_come_from_the_index_of_the_controller(quiet: Out) -> None:
    """The index that the controller keeps says how many sessions a change concerns."""
    signals = [event(user, "Cart", 1_768_000_000_000) for user in ("ann", "bob")]
    with Index(Path("index.db")) as index:
        found = outputs_of(catalog_of(records()), signals, 1_768_000_001_000)
        index.apply(found, 1_768_000_001_000)

    assert flows("stop", "remind", "--dry-run", "--index", "index.db") == 0
    assert "2 sessions concerned: 2 of version 1" in quiet.readouterr().out
    assert flows("list", "--index", "nowhere.db") == 1
    assert "nowhere.db: there is no index" in quiet.readouterr().err


def test_an_empty_log_says_what_to_do(capsys: Out) -> None:
    """A log without flows says how to publish one; reading it writes nothing."""
    assert flows("list") == 0
    assert "towpath flows publish" in capsys.readouterr().err
    assert flows("history") == 0
    assert not Path(CONTROL).exists()


def test_a_silent_log_is_mentioned(quiet: Out) -> None:
    """If nobody declares the log complete, every command says that workers wait."""
    assert flows("list") == 0
    assert "never was declared complete, and workers wait" in quiet.readouterr().err
    store = store_of(CONTROL)
    store.complete(store.read(), 1_780_000_000_000)
    assert flows("list") == 0
    assert "is until 2026-05-28T20:26:40Z only declared complete" in quiet.readouterr().err
    store.complete(store.read(), log.now())
    assert flows("list") == 0
    assert quiet.readouterr().err == ""


def test_history_as_json_has_everything(quiet: Out) -> None:
    """Programs get a line for each record: who, when and why."""
    assert flows("pause", "remind", "--by", "Lee", "--note", "wrong price", *AT) == 0
    quiet.readouterr()

    assert flows("history", "--json", "--last", "1") == 0
    said = json.loads(quiet.readouterr().out)
    assert said.pop("made_at") <= log.now()
    assert said == {
        "sequence": 3, "effective_at": 1_893_484_800_000, "what": "pause", "flow": "remind",
        "by": "Lee", "note": "wrong price",
    }  # fmt: skip


@pytest.mark.parametrize("words", [["list"], ["history"], ["pause", "remind"]])
def test_an_invalid_log_is_told(words: list[str], quiet: Out) -> None:
    """A log that a worker could not follow is named by every command, with exit code 1."""
    store = store_of(CONTROL)
    held = store.read()
    store.append(held, [Start(sequence=3, effective_at=1_893_456_000_000, flow="nobody")])

    assert flows(*words) == 1
    assert "the control log is not valid: record 3 names flow nobody" in quiet.readouterr().err


def test_a_log_that_says_nothing_cannot_be_changed(quiet: Out) -> None:
    """A file without an instant of completeness is complete forever: its readers see no change."""
    Path(f"{CONTROL}.complete").unlink()

    assert flows("pause", "remind") == 1
    err = quiet.readouterr().err
    assert "nothing can be added. If no job reads it yet, write 0" in err
    assert "--at" not in err
