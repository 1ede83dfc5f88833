"""The JSON Schemas accept what the loader accepts, and find errors in the structure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
import yaml
from hypothesis import given, settings

from tests.flows.strategies import flows
from transforms.authoring.format import canonical
from transforms.authoring.json_schema import SCHEMAS, flow_schema, space_schema
from transforms.flows.definitions.flow import EXIT_KINDS, ExitRule
from transforms.flows.definitions.steps.kinds import STEP_KINDS, Verb
from transforms.flows.definitions.steps.waits import CASES, Case
from transforms.flows.definitions.triggers.kinds import TRIGGER_KINDS, Trigger

ROOT = Path(__file__).parents[2]
FLOW = jsonschema.Draft202012Validator(flow_schema())
SPACE = jsonschema.Draft202012Validator(space_schema())


class Reader(yaml.SafeLoader):
    """Reads scalars like editors, by the core schema of YAML 1.2."""


Reader.yaml_implicit_resolvers = {}
for tag, pattern, starts in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    Reader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), starts)


def errors(text, validator=FLOW):
    return [error.message for error in validator.iter_errors(yaml.load(text, Loader=Reader))]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_schemas_are_valid(kind):
    """Each schema is valid in its dialect."""
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[kind]())


@pytest.mark.parametrize("path", sorted((ROOT / "flow_defs").rglob("*.yaml")), ids=lambda p: p.stem)
def test_the_sample_files_pass(path):
    """The sample flows and their space have no errors in an editor."""
    validator = SPACE if path.stem == "space" else FLOW

    assert errors(path.read_text("utf-8"), validator) == []


@settings(deadline=None, max_examples=50)
@given(flows())
def test_every_valid_flow_passes(flow):
    """The schema accepts every flow that the loader accepts, in canonical form."""
    assert errors(canonical(flow)) == []


HEAD = "flow: f\nenter: [{event: E}]\n"


@pytest.mark.parametrize(
    "text",
    [
        "enter: [{event: E}]\nsteps: {a: {end: x}}\n",
        "flow: f\nenter: []\nsteps: {a: {end: x}}\n",
        "flow: f\nenter: [{evnt: E}]\nsteps: {a: {end: x}}\n",
        "flow: f\nenter: [{event: E, without: [{event: F}]}]\nsteps: {a: {end: x}}\n",
        HEAD + "steps: {a: {wait: 1 hr}}\n",
        HEAD + "steps: {a: {snd: email, template: t}}\n",
        HEAD + "steps: {a: {send: email}}\n",
        HEAD + "steps: {a: {wait: 1h, end: x}}\n",
        HEAD + "steps: {a: {if: [{then: b}]}}\n",
        HEAD + "steps: {a: {split: {x: half}, then: {x: b}}}\n",
        HEAD + "steps: {a: {wait_for: [{then: b}]}}\n",
        HEAD + "steps: {a: {wait_for: [{opnd: b}]}}\n",
        HEAD + "steps: {a: {then: b}}\n",
        HEAD + "steps: {a: {end: x}}\nholdout: ten\n",
        HEAD + "steps: {a: {end: x}}\nreenter: always\n",
        HEAD + "steps: {a: {end: x}}\nschedule: {at_end: now}\n",
    ],
)
def test_errors_in_the_structure_are_found(text):
    """A missing, unknown or misspelt key and a value of the wrong form are errors in an editor."""
    assert errors(text)


def test_a_space_with_an_unknown_type_is_refused():
    """The types of events and traits are a closed list."""
    assert errors("space: s\ntraits: {age: int}\n", SPACE)
    assert not errors("space: s\ntraits: {age: number}\n", SPACE)


@pytest.mark.parametrize("kind", STEP_KINDS, ids=lambda kind: kind.leads[0])
def test_the_example_of_every_step_passes(kind):
    """The steps of the reference have no errors in an editor."""
    indented = "\n".join(f"  {line}" for line in kind.example.split("\n"))

    assert errors(f"{HEAD}steps:\n{indented}\n") == []


def test_every_member_of_the_closed_unions_has_a_schema():
    """Each verb, trigger, exit rule and case of the model has a schema, and nothing else has."""
    for union, kinds in (
        (Verb, STEP_KINDS),
        (Trigger, TRIGGER_KINDS),
        (ExitRule, EXIT_KINDS),
        (Case, CASES),
    ):
        assert {kind.struct for kind in kinds} == set(get_args(union))
