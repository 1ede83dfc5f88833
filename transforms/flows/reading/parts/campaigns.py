"""Campaigns: as the space declares them, and what a flow of one may name of its participants.

A flow belongs to one campaign or to none; only in a campaign is there a participant (R21).
"""

from __future__ import annotations

from transforms.flows.definitions.space import Campaign
from transforms.flows.diagnostics import suggest
from transforms.flows.expressions.syntax.ast import Expr, Text
from transforms.flows.expressions.types import Wants
from transforms.flows.reading.fields import Fields, fields
from transforms.flows.reading.names import STATUS
from transforms.flows.reading.nodes import Mapping, Node, Scalar, describe
from transforms.flows.reading.values import Reading

TYPES = ("text", "number", "boolean", "time", "list")

WANTS: dict[str, Wants] = {"text": "text", "number": "number", "date": "date"}


def campaign(reading: Reading, key: Scalar, node: Node) -> Campaign | None:
    """Read a campaign of the space: the fields of its participants, and their statuses."""
    reading.name(key, "a campaign")
    found = fields(reading, node, f'campaign "{key.text}"')
    if found is None:
        return None
    typed = found.read("fields", lambda inner: _types(reading, inner)) or ()
    listed = found.read("statuses", lambda inner: reading.many(inner, reading.text)) or ()
    found.close()
    return Campaign(key.text, typed, tuple(dict.fromkeys(listed)))


def _types(reading: Reading, node: Node) -> tuple[tuple[str, str], ...]:
    if not isinstance(node, Mapping):
        said = f"fields is {describe(node)}, not a map of names with types"
        reading.problem(node, "wrong-kind", said)
        return ()
    for key, _ in node.items:
        if key.text == STATUS:
            said = "each participant has a status, which is no field"
            reading.problem(key, "reserved-name", said, "list its values under statuses")
    return tuple((key.text, reading.one_of(value, TYPES) or "any") for key, value in node.items)


def campaign_in(root: Mapping) -> str | None:
    """Find the campaign that a flow's file names."""
    node = root.get("campaign")
    return node.text if isinstance(node, Scalar) and node.text.strip() else None


def change(found: Fields, node: Node, options: tuple[str, ...]) -> str | None:
    """Read what happened to a participant, in a flow of a campaign (C7, C8)."""
    reading = found.reading
    if reading.known.campaign is None:
        said = "the flow belongs to no campaign, so it has no participants"
        reading.problem(found.lead, "no-campaign", said, "add campaign: and its name to the flow")
    return reading.one_of(node, options)


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
    if known.campaign is None:
        said = "the flow belongs to no campaign, so it has no participants"
        reading.problem(node, "no-campaign", said, "add campaign: and its name to the flow")
    elif declared is not None and name.split(".", maxsplit=1)[0] not in declared:
        said = f'"{name}" is no field of the participants of campaign "{known.campaign}"'
        reading.problem(node, "unknown-field", said, suggest(name, declared))


def target_value(reading: Reading, target: str, node: Node) -> Expr | None:
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
            said = f'no participant has the status "{status}"'
            reading.problem(node, "unknown-status", said, suggest(status, listed))
    return expr
