"""The branches of a split: their shares, and where each goes on (I11)."""

from __future__ import annotations

import re

from transforms.flows.definitions.forms import Routes
from transforms.flows.definitions.steps.branches import Branch
from transforms.flows.diagnostics import suggest
from transforms.flows.reading.keys import Keys
from transforms.flows.reading.nodes import Mapping, Node, Scalar, describe
from transforms.flows.reading.values import Reading

_SHARE = re.compile(r"\s*(\d{1,3})\s*%(?:\s+(holdout|rest))?\s*")


def shares(keys: Keys, node: Node, routes: str) -> tuple[Branch, ...] | None:
    """Read branches with their shares; ``routes`` is the key of their steps."""
    reading, then = keys.reading, keys.get(routes)
    if not isinstance(node, Mapping) or not node.items:
        said = f"{keys.what} splits into {describe(node)}"
        known = "write for example {one: 50%, other: 50%}"
        reading.problem(node, "wrong-kind", said, known)
        return None
    if then is not None and not isinstance(then, Mapping):
        said = f"{keys.what} goes on to {describe(then)}"
        known = "write a step for each branch, for example {one: here, other: there}"
        reading.problem(then, "wrong-kind", said, known)
        return None
    if then is not None:
        names = [key.text for key, _ in node.items]
        for key, _ in then.items:
            if key.text not in names:
                said = f'{keys.what} has no branch "{key.text}"'
                reading.problem(key, "unknown-branch", said, suggest(key.text, names))
    branches = [_branch(reading, key, share, then) for key, share in node.items]
    made = tuple(branch for branch in branches if branch is not None)
    return made if len(made) == len(branches) else None


def routes(keys: Keys, node: Node, form: Routes) -> None:
    """Read nothing: the steps of branches are read with their shares."""


def _branch(reading: Reading, key: Scalar, node: Node, then: Mapping | None) -> Branch | None:
    name = reading.name(key, "a branch")
    text = reading.text(node)
    share = _SHARE.fullmatch(text) if text is not None else None
    if text is not None and (share is None or int(share[1]) > 100):
        known = "write for example 45%, 10% holdout or 60% rest"
        reading.problem(node, "invalid-percentage", f'"{text}" is not a share', known)
        return None
    target = then.get(key.text) if then is not None else None
    step = reading.step(target) if target is not None else None
    if name is None or share is None:
        return None
    return Branch(name, int(share[1]), share[2] == "holdout", step, share[2] == "rest")
