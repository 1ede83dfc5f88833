"""The library of flow templates: each is valid, tested and documented, and works in a new folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from towpath.cli.main import main
from towpath.portable import flow_templates
from towpath.scenario_files import ENDING, folder
from transforms.hosting.sandbox import answer
from transforms.scenarios.grammar import read_stories
from transforms.scenarios.player import control_log_of, play

NAMES = flow_templates.names()
USE_CASES = {
    "abandoned_cart",
    "welcome_drip",
    "lead_nurturing",
    "win_back",
    "post_purchase_review",
    "birthday",
    "payment_reminder",
    "appointment_reminder",
    "onboarding",
    "broadcast",
    "send_time_test",
    "content_test",
}


def reached_steps(name: str) -> tuple[set[tuple[str, str]], dict[str, int]]:
    """Play the stories of a template; return the steps reached, and the stories of each flow."""
    home = flow_templates.library() / name
    beside = folder(home)
    steps, counts = set(), {}
    for path in home.glob(f"*{ENDING}"):
        read = read_stories(path.as_posix(), path.read_text()).value
        assert read is not None
        counts[path.name.removesuffix(ENDING)] = len(read.stories)
        for story in read.stories:
            for turn in play(
                read, story, control_log_of(read, story, beside.project, beside.texts), answer
            ):
                steps |= {
                    (o.flow, o.step) for o in turn.outputs if getattr(o, "what", "") == "reached"
                }
    return steps, counts


def test_every_use_case_has_a_template() -> None:
    """The named use cases have templates, and there is a blank one (L14, L16, J2)."""
    assert set(NAMES) == USE_CASES | {"blank"}


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_valid(name: str) -> None:
    """It has no problems and no warnings, is formatted, and its scenarios pass."""
    home = flow_templates.library() / name

    assert folder(home).project.problems == ()
    assert main(["check", str(home)]) == 0
    assert main(["fmt", "--check", str(home)]) == 0
    assert main(["test", str(home)]) == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_documented_by_stories(name: str) -> None:
    """Each flow has an ``about``; up to five stories walk through every step of it."""
    flows = folder(flow_templates.library() / name).project.flows
    steps, counts = reached_steps(name)

    assert name in {flow.id for flow in flows}
    for flow in flows:
        assert flow.about.endswith(".")
        assert (1 if name == "blank" else 2) <= counts[flow.id] <= 5
        assert {(flow.id, step.name) for step in flow.steps} - steps == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_message_is_used(name: str) -> None:
    """Every message template is sent by a step, and each has a text."""
    home = flow_templates.library() / name
    project = folder(home).project
    sent = {text for flow in project.flows for text in project.template_texts(flow.id)}

    assert sent == {path.stem for path in (home / "messages").glob("*.liquid")}


@pytest.mark.parametrize("name", NAMES)
def test_new_creates_a_valid_folder(name: str, tmp_path: Path) -> None:
    """The folder of `towpath new` checks, is formatted and passes its scenarios; so does its
    export.
    """
    into, other = str(tmp_path / "mine"), str(tmp_path / "other")

    assert main(["new", "--template", name, "--into", into]) == 0
    for command in (["check"], ["test"], ["fmt", "--check"]):
        assert main([*command, into]) == 0
    assert main(["export", into, "--out", str(tmp_path / "x.towpath")]) == 0
    assert main(["import", str(tmp_path / "x.towpath"), "--into", other]) == 0
    assert main(["test", other]) == 0


def test_all_templates_fit_into_one_space(tmp_path: Path) -> None:
    """The flows of the library can run side by side in one space."""
    for name in NAMES:
        assert main(["new", "--template", name, "--into", str(tmp_path)]) == 0

    assert main(["check", str(tmp_path)]) == 0


def test_a_blank_flow_gets_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name goes into the flow, its file and its scenario, which pass."""
    monkeypatch.chdir(tmp_path)

    assert main(["new", "--template", "blank", "--name", "second_try"]) == 0

    home = tmp_path / "second_try"
    assert (home / "second_try.yaml").read_text().startswith("flow: second_try\n")
    assert not any(re.search(r"\bblank\b", p.read_text()) for p in home.rglob("*.*"))
    assert main(["test", str(home)]) == 0


def test_new_overwrites_only_with_force(tmp_path: Path) -> None:
    """A second `towpath new` does not change an edited flow without ``--force``."""
    flow = tmp_path / "birthday.yaml"
    command = ["new", "--template", "birthday", "--into", str(tmp_path)]
    assert main(command) == 0
    mine = flow.read_text().replace("21 days", "14 days")
    flow.write_text(mine)

    assert main(command) == 1
    assert flow.read_text() == mine
    assert main([*command, "--force"]) == 0
    assert "21 days" in flow.read_text()


def test_the_list_of_templates(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a template the known ones are listed, one per line, with their purpose."""
    assert main(["new"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == NAMES

    assert main(["new", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["template"] for one in listed] == NAMES
    assert all(one["about"] for one in listed)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--template", "birthdy"], 'no template "birthdy"; did you mean "birthday"?'),
        (["--template", "birthday", "--name", "mine"], "--name works only with the template blank"),
        (
            ["--template", "blank", "--name", "My Flow"],
            '"My Flow" is not a valid id; use lower-case',
        ),
        (["--template", "../birthday"], 'no template "../birthday"'),
        (["--template", "zzz"], 'no template "zzz"; towpath new lists the templates'),
        (["--name", "mine"], "--name needs --template"),
        (["--into", "mine"], "--into needs --template"),
    ],
)
def test_usage_errors(
    options: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An unknown template and an invalid name are usage errors; nothing is written."""
    monkeypatch.chdir(tmp_path)

    assert main(["new", *options]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
