"""The reference is generated from the current code, and its examples are valid."""

from __future__ import annotations

import re

import pytest

from docs.generate import FOLDER, PAGES
from docs.generating import problems, records, space
from docs.generating.flow import fields_of
from schemas import OUTPUTS
from tests.packaging.repository import ROOT
from transforms.authoring.json_schema import space_schema
from transforms.flows.definitions.flow import EXIT_KINDS, FLOW, GOAL_KINDS, SCHEDULE
from transforms.flows.definitions.shapes import StepKind, TriggerKind, Variant
from transforms.flows.definitions.steps.kinds import STEP_KINDS
from transforms.flows.definitions.steps.waits import CASES
from transforms.flows.definitions.triggers.kinds import TRIGGER_KINDS
from transforms.flows.definitions.values import REENTER
from transforms.flows.protocol import reason_codes
from transforms.flows.reading.flow import load_flow
from transforms.flows.reading.space import load_space
from transforms.flows.templates.message_template import load_template
from transforms.wire.mapping import load_mapping

SPACE = """
channels: {log: {address: user}, email: {address: email}, sms: {address: phone}}
agents: {desk: {channel: email}}
numbers: {"4711": {messages: sms}, "+4930555": {calls: sms}}
topics: {news: {}}
audiences: {club: static, vip: count(event "Order Completed") >= 3}
campaigns: {winter: {fields: {size: number}}}
destinations: {crm: {topic: leads}}
"""
HOST = ROOT / "transforms"
CORE = HOST / "flows"


@pytest.mark.parametrize("name", PAGES)
def test_page_is_up_to_date(name: str, rewrite: bool) -> None:
    """A generated page matches the current code; ``make docs`` or ``--rewrite`` writes it."""
    made = PAGES[name]()
    if rewrite:
        (FOLDER / name).write_text(made, encoding="utf-8")

    assert made == (FOLDER / name).read_text(encoding="utf-8")


def _load(
    enter: str = "- event: Started", rest: str = "", steps: str = "over: {end: done}"
) -> list:
    def indented(text: str) -> str:
        return "\n".join(f"  {line}" for line in text.split("\n"))

    text = f"flow: example\ncampaign: winter\nenter:\n{indented(enter)}\n{rest}steps:\n{indented(steps)}\n"
    loaded_space = load_space("space.yaml", SPACE)
    note = load_template("note", "Hello")
    assert loaded_space.value is not None
    assert note.value is not None
    found = load_flow("example.yaml", text, loaded_space.value, {"note": note.value})
    return [problem.message for problem in found.problems]


@pytest.mark.parametrize("kind", STEP_KINDS, ids=lambda kind: kind.example.split(":")[0])
def test_step_examples(kind: StepKind) -> None:
    """The example of every step is a flow without problems that uses it."""
    key = kind.leads[0]

    assert re.search(rf"\b{key}: ", kind.example) or f"{key}:\n" in kind.example
    assert _load(steps=kind.example) == []


@pytest.mark.parametrize("kind", TRIGGER_KINDS, ids=lambda kind: kind.example)
def test_trigger_examples(kind: TriggerKind) -> None:
    """The example of every trigger is valid."""
    assert _load(enter=kind.example) == []


@pytest.mark.parametrize("kind", EXIT_KINDS, ids=lambda kind: kind.example)
def test_exit_examples(kind: Variant) -> None:
    """The example of every exit rule is valid."""
    assert _load(rest=f"exit:\n  {kind.example}\n") == []


@pytest.mark.parametrize("kind", GOAL_KINDS, ids=lambda kind: kind.example)
def test_goal_examples(kind: Variant) -> None:
    """The example of every goal is valid."""
    assert _load(rest=f"goals:\n  {kind.example}\n") == []


def test_space_example() -> None:
    """The example of a space has no problems."""
    assert load_space("space.yaml", space.EXAMPLE).problems == ()


def test_mapping_example() -> None:
    """The example of a mapping has no problems."""
    text = re.search(r"```yaml\n(.*?)```", records.MAPPING, re.DOTALL)
    assert text is not None
    assert load_mapping(text[1], "map.yaml").problems == ()


def test_every_key_has_a_text() -> None:
    """Every key of flows, steps, triggers, cases, exit rules and goals has a description."""
    kinds = (*STEP_KINDS, *TRIGGER_KINDS, *EXIT_KINDS, *CASES, *GOAL_KINDS, FLOW, SCHEDULE, REENTER)
    silent = [
        f"{kind.struct.__name__}.{field.key}"
        for kind in kinds
        for field in fields_of(kind)
        if not field.text.endswith(".")
    ]

    assert silent == []
    assert [kind.struct for kind in kinds if not kind.about.endswith(".")] == []
    assert set(space.SPACE) == set(space_schema()["properties"])


def test_every_output_is_documented() -> None:
    """Every kind of output is on the page about outputs."""
    page = PAGES["outputs.md"]()

    assert [name for name in OUTPUTS if f"### {name}\n" not in page] == []


def test_every_reason_code_is_used() -> None:
    """Every reason code in the list is used, in the core or around it."""
    around = reason_codes.FAILED | reason_codes.RECORDS
    for folder, codes in ((CORE, reason_codes.REASONS.keys() - around.keys()), (HOST, around)):
        sources = [p.read_text() for p in folder.rglob("*.py") if p.name != "reasons.py"]
        assert [r for r in codes if not any(f'"{r}"' in text for text in sources)] == []


def test_every_problem_code_is_documented() -> None:
    """Every problem code of the golden errors has a section."""
    page = PAGES["problems.md"]()

    assert [code for code in sorted(problems.codes()) if f"## {code}\n" not in page] == []
