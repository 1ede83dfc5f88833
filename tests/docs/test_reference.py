"""The reference says what the code says, and every example in it holds."""

from __future__ import annotations

import re

import pytest

from docs.generate import FOLDER, PAGES
from docs.generating import flow_texts, problems, records, space, trigger_texts
from docs.generating.flow import merged
from schemas import OUTPUTS
from tests.packaging.repository import ROOT
from transforms.authoring.json_schema import flow_schema, space_schema
from transforms.flows.protocol import reason_codes
from transforms.flows.reading.flow import load_flow
from transforms.flows.reading.space import load_space
from transforms.flows.reading.steps import VERBS
from transforms.flows.reading.triggers import TRIGGERS
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
    """A generated page is what the code makes now; ``make docs`` or ``--rewrite`` writes it."""
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


@pytest.mark.parametrize("name", flow_texts.STEPS)
def test_step_examples(name: str) -> None:
    """The example of every verb is a flow without problems that uses it."""
    example = flow_texts.STEPS[name][2]

    assert re.search(rf"\b{name}: ", example) or f"{name}:\n" in example
    assert _load(steps=example) == []


@pytest.mark.parametrize("name", trigger_texts.TRIGGERS)
def test_trigger_examples(name: str) -> None:
    """The example of every trigger is one, without problems."""
    assert _load(enter=trigger_texts.TRIGGERS[name][2]) == []


@pytest.mark.parametrize("name", flow_texts.EXITS)
def test_exit_examples(name: str) -> None:
    """The example of every exit rule is one, without problems."""
    assert _load(rest=f"exit:\n  {flow_texts.EXITS[name][2]}\n") == []


def test_goal_example() -> None:
    """The example of a goal is one, without problems."""
    assert _load(rest=f"goals:\n  {flow_texts.GOAL_EXAMPLE}\n") == []


def test_space_example() -> None:
    """The example of a space has no problems."""
    assert load_space("space.yaml", space.EXAMPLE).problems == ()


def test_mapping_example() -> None:
    """The example of a mapping has no problems."""
    text = re.search(r"```yaml\n(.*?)```", records.MAPPING, re.DOTALL)
    assert text is not None
    assert load_mapping(text[1], "map.yaml").problems == ()


def test_every_verb_and_trigger_has_a_place() -> None:
    """No verb and no trigger of the loader is left out."""
    updates = {"unset", "increment", "append", "tag", "untag"}

    assert set(flow_texts.STEPS) == set(VERBS) - updates
    assert set(trigger_texts.TRIGGERS) == set(TRIGGERS)


@pytest.mark.parametrize(
    ("part", "known", "common"),
    [
        ("trigger", trigger_texts.TRIGGERS, {"reenter"}),
        ("exit", flow_texts.EXITS, set()),
        ("step", flow_texts.STEPS, {"then"}),
    ],
)
def test_no_key_is_described_that_is_none(part: str, known: dict, common: set) -> None:
    """Every key with a text is a key of the schema."""
    schemas = flow_schema()["$defs"][part]["anyOf"]
    extra = {
        name: set(texts) - set(merged(name, schemas)["properties"])
        for name, (_, texts, _) in known.items()
    }

    assert {name: keys for name, keys in extra.items() if keys} == {}
    assert set(flow_texts.FLOW) == set(flow_schema()["properties"])
    assert set(space.SPACE) == set(space_schema()["properties"])


def test_every_output_has_a_place() -> None:
    """Every kind of output is on the page about outputs."""
    page = PAGES["outputs.md"]()

    assert [name for name in OUTPUTS if f"### {name}\n" not in page] == []


def test_every_reason_is_given_by_something() -> None:
    """A reason code that nothing gives, in the core or in what is around it, is not on the list."""
    around = reason_codes.FAILING | reason_codes.RECORDS
    for folder, codes in ((CORE, reason_codes.REASONS.keys() - around.keys()), (HOST, around)):
        sources = [p.read_text() for p in folder.rglob("*.py") if p.name != "reasons.py"]
        assert [r for r in codes if not any(f'"{r}"' in text for text in sources)] == []


def test_every_problem_has_a_place() -> None:
    """Every code among the golden errors has a section."""
    page = PAGES["problems.md"]()

    assert [code for code in sorted(problems.codes()) if f"## {code}\n" not in page] == []
