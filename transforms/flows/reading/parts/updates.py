"""What updates change and events carry: targets and properties, each with its value."""

from __future__ import annotations

from transforms.flows.definitions.values import Named
from transforms.flows.diagnostics import suggest
from transforms.flows.expressions.types import Wants
from transforms.flows.reading.fields import Fields
from transforms.flows.reading.nodes import Mapping, Node, Scalar, Sequence
from transforms.flows.reading.parts.campaigns import check_field, target_value
from transforms.flows.reading.values import Reading


def targets(reading: Reading, node: Node, wants: Wants) -> Named:
    """Read what an update changes, with the value of each."""
    for key, _ in node.items if isinstance(node, Mapping) else ():
        _check(reading, key, key.text)
    if not isinstance(node, Mapping) or wants != "value":
        return reading.named(node, wants)
    read = [(key.text, target_value(reading, key.text, value)) for key, value in node.items]
    return tuple((name, value) for name, value in read if value is not None)


def target_names(reading: Reading, node: Node) -> tuple[str, ...]:
    """Read what an update removes."""
    for item in node.items if isinstance(node, Sequence) else ():
        _check(reading, item, item.text if isinstance(item, Scalar) else "")
    return reading.texts(node)


def _check(reading: Reading, node: Node, name: str) -> None:
    root, _, rest = name.partition(".")
    if root not in ("user", "session", "participant") or not rest:
        said = f'"{name}" cannot be updated'
        known = f'did you mean "user.{name}"?' if "." not in name else ""
        known = known or "name user.<trait>, participant.<field> or session.<variable>"
        reading.problem(node, "invalid-target", said, known)
    elif root == "user":
        reading.check_trait(node, rest)
    elif root == "participant":
        check_field(reading, node, rest)


def properties(found: Fields, node: Node, event: str) -> Named:
    """Read the properties of an event, whose name stands at the key ``event``."""
    reading, name = found.reading, found.node.get(event)
    named = name.text if isinstance(name, Scalar) else ""
    declared = reading.known.events.get(named)
    for key, _ in node.items if isinstance(node, Mapping) else ():
        if declared is not None and key.text not in declared:
            said = f'"{key.text}" is no property of "{named}"'
            reading.problem(key, "unknown-property", said, suggest(key.text, declared))
    return reading.named(node)
