"""What updates change: traits, session variables and participants; and the properties of events."""

from __future__ import annotations

from transforms.flows.definitions.values import Named
from transforms.flows.diagnostics import suggest
from transforms.flows.expressions.scope import Wants
from transforms.flows.expressions.syntax.ast import Expr, Text
from transforms.flows.reading.keys import Keys
from transforms.flows.reading.names import STATUS
from transforms.flows.reading.nodes import Mapping, Node, entries, items_of, text_of
from transforms.flows.reading.values import Reading

WANTS: dict[str, Wants] = {"text": "text", "number": "number", "date": "date"}


def targets(reading: Reading, node: Node, wants: Wants) -> Named:
    """Read what an update changes, with the value of each."""
    for key, _ in entries(node):
        _check(reading, key, key.text)
    if not isinstance(node, Mapping) or wants != "value":
        return reading.named(node, wants)
    read = [(key.text, _target_value(reading, key.text, value)) for key, value in node.items]
    return tuple((name, value) for name, value in read if value is not None)


def target_names(reading: Reading, node: Node) -> tuple[str, ...]:
    """Read what an update removes."""
    for item in items_of(node):
        _check(reading, item, text_of(item))
    return reading.texts(node)


def _check(reading: Reading, node: Node, name: str) -> None:
    root, _, rest = name.partition(".")
    if root not in ("user", "session", "participant") or not rest:
        message = f'"{name}" cannot be updated'
        hint = f'did you mean "user.{name}"?' if "." not in name else ""
        hint = hint or "name user.<trait>, participant.<field> or session.<variable>"
        reading.problem(node, "invalid-target", message, hint)
    elif root == "user":
        reading.check_trait(node, rest)
    elif root == "participant":
        check_field(reading, node, rest)


def properties(keys: Keys, node: Node, event: str) -> Named:
    """Read the properties of the event that is named at the key ``event``."""
    reading, named = keys.reading, text_of(keys.node.get(event))
    declared = reading.known.events.get(named)
    for key, _ in entries(node):
        if declared is not None and key.text not in declared:
            message = f'"{key.text}" is not a property of "{named}"'
            reading.problem(key, "unknown-property", message, suggest(key.text, declared))
    return reading.named(node)


def change(keys: Keys, node: Node, options: tuple[str, ...]) -> str | None:
    """Read what happened to a participant, in a flow of a campaign (C7, C8)."""
    _check_campaign(keys.reading, keys.lead)
    return keys.reading.one_of(node, options)


def _check_campaign(reading: Reading, node: Node | tuple[int, int]) -> bool:
    """Return whether the flow belongs to a campaign; report it if not."""
    if reading.known.campaign is None:
        message = "the flow belongs to no campaign, so it has no participants"
        reading.problem(node, "no-campaign", message, "add campaign: and its name to the flow")
    return reading.known.campaign is not None


def field_name(reading: Reading, node: Node) -> str | None:
    """Read the name of a field of participants."""
    name = reading.text(node)
    if name is not None:
        check_field(reading, node, name)
    return name


def check_field(reading: Reading, node: Node, name: str) -> None:
    """Report a field of participants that the campaign does not declare."""
    known = reading.known
    declared = known.participant
    if not _check_campaign(reading, node) or declared is None:
        return
    if name.split(".", maxsplit=1)[0] not in declared:
        message = f'"{name}" is not a field of the participants of campaign "{known.campaign}"'
        reading.problem(node, "unknown-field", message, suggest(name, declared))


def _target_value(reading: Reading, target: str, node: Node) -> Expr | None:
    """Read what an update sets: of a field that the campaign declares, a value of its type."""
    root, _, name = target.partition(".")
    if root != "participant" or reading.known.participant is None:
        return reading.value(node)
    kind = reading.known.participant.get(name, "")
    expr = reading.value(node, None, WANTS.get(kind, "value"))
    listed = reading.known.statuses
    if expr is not None and name == STATUS and isinstance(expr.root, Text) and listed:
        status = expr.root.value
        if status not in listed:
            message = f'no participant has the status "{status}"'
            reading.problem(node, "unknown-status", message, suggest(status, listed))
    return expr
