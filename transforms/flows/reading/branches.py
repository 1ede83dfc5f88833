"""Steps that branch at once: ``if`` and ``split`` (C14, I11)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from transforms.flows.definitions.steps.branches import Branch, If, IfCase, Split, Winning
from transforms.flows.definitions.steps.kinds import Verb
from transforms.flows.diagnostics import suggest
from transforms.flows.reading.fields import Fields, fields
from transforms.flows.reading.nodes import Mapping, Node, Scalar, Sequence, describe
from transforms.flows.reading.values import Reading

T = TypeVar("T")

_SHARE = re.compile(r"\s*(\d{1,3})\s*%(?:\s+(holdout|rest))?\s*")


def read_if(reading: Reading, found: Fields) -> Verb | None:
    """Read the cases of ``if`` in order, and ``else``."""
    cases = read_cases(reading, found, "if", _if_case)
    return If(cases, found.read("else", reading.step))


def read_cases(
    reading: Reading, found: Fields, verb: str, case: Callable[[Reading, Node], T | None]
) -> tuple[T, ...]:
    """Read the list of cases that stands at a step's verb; an empty one is a problem."""
    node = found.get(verb)
    cases = reading.many(node, lambda item: case(reading, item)) if node else ()
    if isinstance(node, Sequence) and not node.items:
        reading.problem(found.lead, "empty-step", f"{found.what} has no case")
    return cases


def _if_case(reading: Reading, node: Node) -> IfCase | None:
    found = fields(reading, node, "a case")
    if found is None:
        return None
    when = found.need("when", reading.condition)
    then = found.read("then", reading.step)
    found.close()
    return None if when is None else IfCase(when, then)


def read_split(reading: Reading, found: Fields) -> Verb | None:
    """Read the shares of ``split`` and where each branch goes on."""
    node = found.get("split")
    then = found.get("then")
    redraw = found.flag("redraw")
    winner = found.read("winner", lambda item: _winning(reading, item))
    if not isinstance(node, Mapping) or not node.items:
        said = f"{found.what} splits into {describe(node) if node else 'nothing'}"
        known = "write for example {one: 50%, other: 50%}"
        reading.problem(node or found.node, "wrong-kind", said, known)
        return None
    if then is not None and not isinstance(then, Mapping):
        said = f"{found.what} goes on to {describe(then)}"
        known = "write a step for each branch, for example {one: here, other: there}"
        reading.problem(then, "wrong-kind", said, known)
        return None
    branches = [_branch(reading, found, key, share, then) for key, share in node.items]
    if then is not None:
        _unknown_branches(reading, found, then, [key.text for key, _ in node.items])
    made = tuple(branch for branch in branches if branch is not None)
    if len(made) < len(branches):
        return None
    total = sum(branch.percent for branch in made)
    if total != 100:
        said = f"the branches of {found.what} add up to {total}%, not to 100%"
        reading.problem(node, "percentages", said)
    return Split(made, redraw, winner)


def _winning(reading: Reading, node: Node) -> Winning | None:
    """Read what decides the best branch of a split (I28)."""
    found = fields(reading, node, "winner")
    if found is None:
        return None
    metric = found.need("metric", lambda item: reading.name(item, "a metric"))
    minimum = found.read("minimum", reading.whole)
    confidence = found.read("confidence", reading.percent)
    if minimum == 0:
        said = "a winner needs at least one user a branch"
        reading.problem(found.get("minimum") or node, "invalid-winner", said)
    if confidence is not None and not 50 <= confidence < 100:
        said = f"nobody can be {confidence}% sure of a winner"
        known = "write for example 95%"
        reading.problem(found.get("confidence") or node, "invalid-winner", said, known)
    found.close()
    return None if metric is None else Winning(metric, minimum or 100, confidence or 95)


def _branch(
    reading: Reading, found: Fields, key: Scalar, node: Node, then: Mapping | None
) -> Branch | None:
    name = reading.name(key, "a branch")
    text = reading.text(node)
    share = _SHARE.fullmatch(text) if text is not None else None
    if text is not None and (share is None or int(share[1]) > 100):
        known = "write for example 45%, 10% holdout or 60% rest"
        reading.problem(node, "invalid-percentage", f'"{text}" is not a share', known)
        return None
    if name is None or share is None:
        return None
    target = then.get(key.text) if then is not None else None
    holdout, rest = share[2] == "holdout", share[2] == "rest"
    if target is None and not holdout:
        said = f'branch "{name}" of {found.what} goes nowhere'
        known = f"add it to then: {{{name}: <step>}}"
        reading.problem(key, "missing-branch", said, known)
    step = reading.step(target) if target is not None else None
    if rest and "winner" not in found:
        said = f'branch "{name}" of {found.what} is the rest of a test, which needs a winner'
        reading.problem(node, "invalid-winner", said, "add winner: {metric: a goal}")
    return Branch(name, int(share[1]), holdout, step, rest)


def _unknown_branches(reading: Reading, found: Fields, then: Mapping, names: list[str]) -> None:
    for key, _ in then.items:
        if key.text not in names:
            said = f'{found.what} has no branch "{key.text}"'
            reading.problem(key, "unknown-branch", said, suggest(key.text, names))
