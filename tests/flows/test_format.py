"""The formatter: one canonical form for a flow, without loss."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.flows.strategies import SPACE, TEMPLATES, flows
from transforms.authoring.format import canonical, format_flow
from transforms.authoring.format_yaml import text_of
from transforms.flows.definitions.flow import Flow
from transforms.flows.definitions.steps.flows import End
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.diagnostics import headline
from transforms.flows.reading.flow import load_flow
from transforms.flows.reading.project import load_project

ROOT = Path(__file__).parents[2]


def read(text, flow_id):
    loaded = load_flow(f"{flow_id}.yaml", text, SPACE, TEMPLATES)

    assert loaded.value is not None, "\n".join(map(headline, loaded.problems)) + "\n" + text
    return loaded.value


def formatted(text, flow_id="f"):
    return format_flow(text, read(text, flow_id))


def outside_folds(lines):
    """Return the numbers of the lines that are not within a folded text."""
    found, fold = [], None
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if fold is None or (indent <= fold and line):
            fold = indent if re.search(r": (>-|\|)( |$)", line) else None
            found.append(number)
    return found


def sample_project():
    folder = ROOT / "flow_defs"
    paths = [*folder.glob("*.yaml"), *folder.glob("messages/*.liquid")]
    return load_project({path.as_posix(): path.read_text("utf-8") for path in paths})


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(flows())
def test_the_canonical_text_loads_as_the_same_flow(flow):
    """The canonical text of any flow, which is what gets published, loads as the same flow (R27)."""
    assert read(canonical(flow), flow.id) == flow


@settings(deadline=None, max_examples=60)
@given(flows())
def test_formatting_is_idempotent(flow):
    """The canonical text is a fixed point of the formatter."""
    text = canonical(flow)

    assert format_flow(text, flow) == text


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(flows(), st.data())
def test_no_comment_is_lost(flow, data):
    """Every comment is kept, the flow is the same, and a second run changes nothing."""
    lines = canonical(flow).splitlines()
    for number in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.sampled_from(outside_folds(lines)))
        if data.draw(st.booleans()):
            lines[at] += f"   # note {number}"
        else:
            indent = len(lines[at]) - len(lines[at].lstrip())
            lines.insert(at, " " * indent + f"# note {number}")
    text = "\n".join(lines) + "\n"
    once = format_flow(text, flow)

    assert read(once, flow.id) == flow
    assert sorted(re.findall(r"# note \d", once)) == sorted(re.findall(r"# note \d", text))
    assert format_flow(once, flow) == once


def test_the_sample_flows_are_formatted():
    """The sample flows are written as the formatter writes them."""
    project = sample_project()

    assert project.flows
    for flow in project.flows:
        assert format_flow(project.flow_text(flow.id), flow) == project.flow_text(flow.id)


def test_the_layout_of_a_flow():
    """Short steps are on one aligned line, cases and long steps in blocks, defaults are omitted."""
    messy = """
# Who wrote this
steps:
    settle: {"wait": '1h'}   # let them think
    who:
        if: [{when: "entry.value>=100", then: call}]
        else: remind
    # the expensive channel
    call: {then: end_of_it, template: welcome, send: sms}

    remind:
        send: email
        template: welcome
        topic: marketing
        failover: [sms]
        window: "mon-fri 9:00-18:00"
        validity: 2d
        at: 9:00
        data: {n: entry.n}
    end_of_it: {end: reminded}
enter: [{event: Cart Updated, where: event.value>=20}]
priority: 0
flow: f
"""
    assert formatted(messy) == (
        "flow: f\n"
        "\n"
        "enter:\n"
        "  - event: Cart Updated\n"
        "    where: event.value >= 20\n"
        "\n"
        "# Who wrote this\n"
        "steps:\n"
        "  settle: {wait: 1h}         # let them think\n"
        "  who:\n"
        "    if:\n"
        "      - {when: entry.value >= 100, then: call}\n"
        "    else: remind\n"
        "  # the expensive channel\n"
        "  call: {send: sms, template: welcome, then: end_of_it}\n"
        "\n"
        "  remind:\n"
        "    send: email\n"
        "    template: welcome\n"
        "    data: {n: entry.n}\n"
        "    topic: marketing\n"
        "    at: 09:00\n"
        "    window: mon-fri 09:00-18:00\n"
        "    validity: 2d\n"
        "    failover: [sms]\n"
        "  end_of_it: {end: reminded}\n"
    )


def test_steps_keep_their_order():
    """The formatter never changes the order of the steps."""
    text = "flow: f\nenter: [{event: E}]\nsteps: {z: {wait: 1h}, a: {wait: 2h}, m: {end: x}}\n"

    assert [step.name for step in read(formatted(text), "f").steps] == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("{a: {wait: 1h, then: b}, b: {end: x}}", "  a: {wait: 1h}\n"),
        (
            "{a: {wait_until: 09:00, missing: b, then: b}, b: {end: x}}",
            "  a: {wait_until: 09:00, missing: b, then: b}\n",
        ),
    ],
)
def test_a_redundant_then_is_omitted(steps, expected):
    """A ``then`` that names the next step is omitted, but not before the target of a branch."""
    assert expected in formatted(f"flow: f\nenter: [{{event: E}}]\nsteps: {steps}\n")


def test_the_comment_of_a_dropped_line_is_kept():
    """A comment on a key that is omitted as a default moves to what follows."""
    text = (
        "flow: f\npriority: 0  # like the others\nabout: Hi.\n"
        "enter: [{event: E}]\nsteps: {a: {end: x}}\n"
    )

    assert formatted(text).startswith("flow: f\n# like the others\nabout: Hi.\n")


@settings(deadline=None, max_examples=300)
@given(st.text(min_size=1), st.booleans(), st.booleans())
def test_any_text_can_be_written(text, key, flow):
    """Any text, as key or value, in a block or within braces, is read back unchanged."""
    written = text_of(text, key=key, flow=flow)
    shown = f"{{{written}: x}}" if key else (f"[{written}]" if flow else f"a: {written}")
    node = yaml.compose(shown)
    found = node.value[0] if flow and not key else node.value[0][0 if key else 1]

    assert found.value == text


def test_long_texts_are_folded():
    """A condition longer than a line is folded, and stays the same condition."""
    long = " and ".join(f'user.trait_{n} == "value {n}"' for n in range(8))
    flow = Flow(
        id="f",
        enter=read(
            "flow: f\nenter: [{event: E, where: " + f"'{long}'" + "}]\nsteps: {a: {end: x}}\n", "f"
        ).enter,
        steps=(Step("a", End("x")),),
    )
    text = canonical(flow)

    assert max(map(len, text.splitlines())) <= 100
    assert read(text, "f") == flow
