"""Scenario files: every story is played on the core and compared word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from towpath.cli.main import main
from towpath.scenario_files import ENDING, folder
from transforms.flows.diagnostics import headline
from transforms.hosting.sandbox import answer
from transforms.scenarios.grammar import read_stories
from transforms.scenarios.player import control_log_of, play, play_file

HERE = Path(__file__).parent / "scenarios"
ROOT = Path(__file__).parent.parent
FILES = sorted([*HERE.rglob(f"*{ENDING}"), *(ROOT / "flow_defs").rglob(f"*{ENDING}")])
RULES = "R1 R2 R3 R5 R6 R7 R8 R9 R10 R11 R12 R13 R14 R16 R17 R18 R19 R20 R22 R23 R24 R26 R27 R29 R30 R32"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_story(path: Path, rewrite: bool) -> None:
    """The core's outputs for a scenario are those in its file, word for word."""
    text, beside = path.read_text(), folder(path.parent)
    read = read_stories(path.relative_to(ROOT).as_posix(), text)
    assert [headline(problem) for problem in read.problems] == []
    assert [headline(p) for p in beside.project.problems if p.severity == "error"] == []
    assert read.value is not None

    now = play_file(read.value, beside.project, beside.texts, answer)

    if rewrite:
        path.write_text(now)
    assert now == text, "run pytest --rewrite, and read the diff with care"


def test_there_are_at_least_sixty_stories() -> None:
    """There are stories for every rule of this core, and at least sixty of them."""
    titles = []
    for path in FILES:
        read = read_stories(path.as_posix(), path.read_text()).value
        assert read is not None
        titles += [story.title for story in read.stories]

    assert len(titles) >= 60
    cited = " ".join(titles).replace(":", " ").replace(",", " ").split()
    assert [rule for rule in RULES.split() if rule not in cited] == []


def test_every_step_has_a_story() -> None:
    """Every kind of step of the language occurs in a flow that a story reaches."""
    walked: set[str] = set()
    for path in FILES:
        beside = folder(path.parent)
        read = read_stories(path.as_posix(), path.read_text()).value
        assert read is not None
        for story in read.stories:
            flows = story.settings.flows or (path.name.removesuffix(ENDING),)
            log = control_log_of(read, story, beside.project, beside.texts)
            for turn in play(read, story, log, answer):
                reached = {
                    (o.flow, o.step) for o in turn.outputs if getattr(o, "what", "") == "reached"
                }
                for flow in beside.project.flows:
                    if flow.id in flows:
                        walked |= {
                            step.verb.__struct_config__.tag
                            for step in flow.steps
                            if (flow.id, step.name) in reached
                        }

    assert walked == set(
        "wait wait_visit wait_until wait_window wait_for if match_message split send promote webhook"
        " call code export update"
        " change_audience emit enroll leave cancel_all end".split()
    )


BROKEN = """\
flows: wait
zome: UTC
# a story

event Started
2026-03-01 09:00 evnt Started
2026-03-01 09:00 event Started {total: }
+1h event
2026-03-01 10:00 communication letter opend
2026-03-01 10:00 control halt wait
2026-03-01 10:00 event Started nonsense=1
"""

PROBLEMS = """\
x.scenarios.txt:2:1: a scenario has no "zome: UTC"; did you mean "zone"? [unknown-key]
x.scenarios.txt:5:1: a line begins with a time; write 2026-03-01 09:00, or +2h after the line before [invalid-time]
x.scenarios.txt:6:18: "evnt" is not an input; did you mean "event"? [unknown-input]
x.scenarios.txt:7:40: a value is expected here: a number, "text", true, false, null, [...] or {...} [scenario-syntax]
x.scenarios.txt:8:1: the first time of a scenario cannot be relative; write 2026-03-01 09:00 [invalid-time]
x.scenarios.txt:9:39: "opend" is not a status; did you mean "opened"? [unknown-status]
x.scenarios.txt:10:26: there is no control record "halt" [unknown-input]
x.scenarios.txt:11:32: this is not expected here [scenario-syntax]
"""


def test_problems_have_places() -> None:
    """A scenario file with errors gives all of them at once, each with its place and a hint."""
    read = read_stories("x.scenarios.txt", BROKEN)

    assert read.value is None
    assert "\n".join(headline(problem) for problem in read.problems) + "\n" == PROBLEMS


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Copy a flow with its scenarios to a new folder."""
    for name in ("space.yaml", "wait.yaml", "wait.scenarios.txt"):
        (tmp_path / name).write_text((HERE / "steps" / name).read_text())
    return tmp_path


def test_command_passes(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`towpath test` prints nothing to stdout and exits 0 if every word matches."""
    assert main(["test", str(copied)]) == 0
    assert capsys.readouterr().out == ""


def test_command_shows_the_difference(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed flow gives a unified diff and exit 1; --rewrite writes the new outputs into the
    file.
    """
    flow, story = copied / "wait.yaml", copied / "wait.scenarios.txt"
    flow.write_text(flow.read_text().replace("30m", "31m"))
    folder.cache_clear()

    assert main(["test", str(copied)]) == 1
    diff = capsys.readouterr().out
    assert "-  2026-03-01 09:00  waiting    wait/pause until 2026-03-01 09:30" in diff
    assert "+  2026-03-01 09:00  waiting    wait/pause until 2026-03-01 09:31" in diff

    assert main(["test", str(copied), "--rewrite"]) == 0
    assert "until 2026-03-01 09:31" in story.read_text()
    assert main(["test", str(copied)]) == 0


def test_a_folder_without_scenarios_is_a_usage_error(tmp_path: Path) -> None:
    """A folder without scenarios is a usage error, exit 2."""
    assert main(["test", str(tmp_path)]) == 2


def test_simulate_prints_what_a_scenario_contains(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`towpath simulate` prints the text of a scenario, and explains its reasons on stderr."""
    story = (copied / "wait.scenarios.txt").read_text().split("\n# ")[1]
    timeline = copied / "timeline.txt"
    timeline.write_text("\n".join(line for line in ("# " + story).split("\n") if line[:1] != " "))

    code = main(["simulate", str(copied / "wait.yaml"), "--timeline", str(timeline)])

    said = capsys.readouterr()
    assert code == 0
    assert said.out.rstrip() == ("# " + story).rstrip()
    assert "completed: the session reached its end" in said.err


def test_simulate_explains_refusals(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A refused entry is shown with its reason; an invalid line is one problem, exit 1."""
    timeline = copied / "timeline.txt"
    timeline.write_text("2026-03-01 09:00 event Started\n+1m event Started\n+1m nonsense\n")

    code = main(["simulate", str(copied / "wait.yaml"), "--timeline", str(timeline)])

    said = capsys.readouterr()
    assert code == 1
    assert "2026-03-01 09:01  refused    wait: already_in_flow" in said.out
    assert "already_in_flow: the user has a live session of this flow and key" in said.err
    assert 'timeline.txt:3:5: "nonsense" is not an input' in said.err
