"""Steps from nodes: a name, the keys of exactly one kind of step, and where to go on."""

from __future__ import annotations

from transforms.flows.definitions.shapes import StepKind
from transforms.flows.definitions.step_order import ReadStep
from transforms.flows.definitions.steps.kinds import STEP_KINDS
from transforms.flows.diagnostics import quoted, suggest
from transforms.flows.reading.keys import Keys, keys_of
from transforms.flows.reading.nodes import Mapping, Node, Scalar, describe
from transforms.flows.reading.shapes import leads_in, read_shape, variant
from transforms.flows.reading.values import Reading

MAX_STEPS = 500

LEADS = tuple(dict.fromkeys(lead for kind in STEP_KINDS for lead in kind.leads))
"""Every key that makes a step."""


def steps(reading: Reading, node: Node, what: str = "steps") -> list[ReadStep]:
    """Read a map of steps."""
    if not isinstance(node, Mapping):
        said = f"{what} is {describe(node)}, not a map of names"
        reading.problem(node, "wrong-kind", said)
        return []
    if len(node.items) > MAX_STEPS:
        key = node.items[MAX_STEPS][0]
        reading.problem(key, "too-many-steps", f"the flow has more than {MAX_STEPS} steps")
    return [_step(reading, key, value) for key, value in node.items]


def _step(reading: Reading, key: Scalar, node: Node) -> ReadStep:
    reading.name(key, "a step")
    keys = keys_of(reading, node, f'step "{key.text}"')
    if keys is None:
        return ReadStep(key.text, None, None)
    leads = leads_in(keys, STEP_KINDS)
    if len(leads) != 1:
        _no_verb(reading, key, keys, leads)
        return ReadStep(key.text, None, keys.read("then", reading.step))
    kind = variant(keys, STEP_KINDS, leads[0])
    assert isinstance(kind, StepKind)
    verb = read_shape(keys, kind)
    then = _then(reading, keys, kind)
    keys.close()
    return ReadStep(key.text, verb, then)


def _no_verb(reading: Reading, key: Scalar, keys: Keys, leads: list[str]) -> None:
    if leads:
        said = f"{keys.what} has the verbs {quoted(leads)}"
        reading.problem(key, "two-verbs", said, "make a step of each")
        return
    for name, _ in keys.node.items:
        known = suggest(name.text, LEADS)
        if known.startswith("did"):
            said = f'{keys.what} has the unknown verb "{name.text}"'
            reading.problem(name, "unknown-verb", said, known)
            return
    said = f"{keys.what} has no verb"
    reading.problem(key, "unknown-verb", said, f"a step is one of {', '.join(LEADS)}")


def _then(reading: Reading, keys: Keys, kind: StepKind) -> str | None:
    """Read where a step goes on; one with ports only has no ``then`` of its own."""
    own = {field.key for field in kind.fields}
    if kind.goes_on == "then":
        return keys.read("then", reading.step)
    if kind.goes_on == "ports" and "then" not in own:
        node = keys.get("then")
        if node is not None:
            said = f"{keys.what} has branches, and each names its own step"
            known = "else: names the step for all other cases" if "else" in own else ""
            reading.problem(keys.node.key("then") or node, "unknown-key", said, known)
            return reading.step(node)
    return None
