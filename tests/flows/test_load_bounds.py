"""Any input is refused with a place, quickly, and never with a traceback."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.flows.test_load import SPACE, TEMPLATES
from transforms.flows.diagnostics import Problem, Report, Source, show
from transforms.flows.reading.flow import load_flow
from transforms.flows.reading.nodes import Scalar, compose
from transforms.flows.reading.space import load_space
from transforms.flows.reading.spans import offsets

GOOD = """flow: t
about: "A \\u00e4 flow"
enter:
  - event: A
    where: >-
      event.x > 1 and
      event.y == "z"
reenter: {after: 1d, limit: [2 per 7d]}
goals: {bought: {event: B, within: 3d}}
steps:
  a: {wait: 1h}
  b:
    if:
      - {when: 'user.x is set', then: d}
    else: c
  c: {send: log, template: hello, then: d}
  d: {split: {x: 50%, y: 50%}, then: {x: e, y: f}}
  e: {wait_until: user.ends - 3d at 09:00, then: f}
  f: {end: over}
"""


def problems(text: str) -> tuple[Problem, ...]:
    """Load a flow called ``t``."""
    return load_flow("t.yaml", text, SPACE, TEMPLATES).problems


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty-file"),
        ("- a", "wrong-kind"),
        ("a: b\n---\nc: d", "two-documents"),
        ("a: " + "[" * 200_000, "too-deep"),
        ("a: " + "{x: " * 50_000, "too-deep"),
        ("steps: [" + "a," * 20_001 + "]", "too-many-nodes"),
        ("about: " + "x" * 300_000, "too-large"),
        ("a: &x [1]\nb: &y [*x, *x]\nc: [*y, *y]", "alias"),
        ("a: !!python/object/apply:os.system [ls]", "yaml-tag"),
        ("a: \x00", "yaml-syntax"),
        ("? [a]\n: b", "key-not-text"),
        ("true: b", "key-not-text"),
        ("a: 'b", "yaml-syntax"),
        ("%YAML 9.9\n---\na: b", "yaml-syntax"),
    ],
)
def test_excessive_input_is_refused(text: str, code: str) -> None:
    """Input beyond the limits is refused before it costs time or memory."""
    assert code in {problem.code for problem in problems(text)}
    assert load_space("space.yaml", text).value is None


def test_the_undamaged_flow_is_valid() -> None:
    """The flow that the other tests damage is valid."""
    assert problems(GOOD) == ()


@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_any_text_gives_problems_within_the_text(seed: int) -> None:
    """A damaged flow never raises, and each problem's place is within the file."""
    chance = random.Random(seed)
    text = GOOD
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(text))
        piece = chance.choice(
            ["", "", " ", "\n", ":", "[", "}", '"', "'", "#", "a", "\t", "é", "-"]
        )
        text = text[:at] + piece + text[at + chance.randint(0, 4) :]
    lines = text.split("\n")
    for problem in problems(text):
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert show(problem, text).startswith(f"t.yaml:{problem.line}:{problem.column}: ")


@pytest.mark.parametrize(
    "text",
    [
        "plain one",
        "plain\n  over  lines\n\n  and gaps",
        "'single ''quoted'' text'",
        '"double \\"quoted\\" \\u00e4 \\x41 text\\n more"',
        '"folded\n  double \\\n  quoted"',
        "|\n  a block\n    of lines\n  here",
        ">-\n  a folded\n  block\n\n  here",
    ],
)
def test_problems_in_texts_have_the_exact_column(text: str) -> None:
    """A problem inside a text is shown at its character, however the text is quoted or folded."""
    report = Report(Source("t.yaml", f"key: {text}\n"))
    root = compose(report)
    value = root.get("key")
    assert isinstance(value, Scalar)
    places = offsets(report.source.text, value)

    assert len(places) == len(value.text) + 1
    for letter, place in zip(value.text, places, strict=False):
        there = report.source.text[place]
        assert there in (letter, "\\") or (letter.isspace() and there.isspace())


def test_color_only_adds_escape_codes() -> None:
    """Color adds escape codes and nothing else."""
    problem = problems("flow: t\nenter: [{event: A}]\nsteps: {a: {wait: x}}")[0]
    text = "flow: t\nenter: [{event: A}]\nsteps: {a: {wait: x}}"
    coloured = show(problem, text, colour=True)

    assert coloured != show(problem, text)
    for code in ("\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == show(problem, text)
