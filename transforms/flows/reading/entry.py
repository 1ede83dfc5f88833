"""How a session begins and ends: lists of triggers and of exit rules from nodes."""

from __future__ import annotations

from transforms.flows.definitions.exits import EXIT_KINDS, ExitRule
from transforms.flows.definitions.triggers.kinds import TRIGGER_KINDS, Trigger
from transforms.flows.diagnostics import quoted, suggest
from transforms.flows.reading.keys import Keys, keys_of
from transforms.flows.reading.nodes import Node
from transforms.flows.reading.shapes import leads_in, read_shape, variant
from transforms.flows.reading.values import Reading

LEADS = tuple(dict.fromkeys(kind.leads[0] for kind in TRIGGER_KINDS))
"""Every key that makes a trigger."""


def triggers(reading: Reading, node: Node) -> tuple[Trigger, ...]:
    """Read the ways to enter, in the order listed; they read no session."""
    outside = Reading(reading.report, reading.known.at_hand())
    return outside.many(node, lambda item: _trigger(outside, item))


def _trigger(reading: Reading, node: Node) -> Trigger | None:
    keys = keys_of(reading, node, "a trigger")
    if keys is None:
        return None
    leads = leads_in(keys, TRIGGER_KINDS)
    if len(leads) != 1:
        _no_trigger(reading, keys, leads)
        return None
    keys.what = f'a trigger with "{leads[0]}"'
    made: Trigger | None = read_shape(keys, variant(keys, TRIGGER_KINDS, leads[0]))
    keys.close()
    return made


def _no_trigger(reading: Reading, keys: Keys, leads: list[str]) -> None:
    if leads:
        said = f"a trigger is one of {quoted(leads)}, not several"
        reading.problem(keys.lead, "two-kinds", said, "write two triggers")
        return
    suggestions = (suggest(key.text, LEADS) for key, _ in keys.node.items)
    known = next(filter(None, suggestions), "")
    reading.problem(keys.lead, "unknown-trigger", "this is not a trigger", known)


def exit_rules(reading: Reading, node: Node) -> tuple[ExitRule, ...]:
    """Read the exit rules (R23)."""
    return reading.many(node, lambda item: _exit_rule(reading, item))


def _exit_rule(reading: Reading, node: Node) -> ExitRule | None:
    keys = keys_of(reading, node, "an exit rule")
    if keys is None:
        return None
    leads = leads_in(keys, EXIT_KINDS)
    if len(leads) != 1:
        said = 'an exit rule has one of "event", "when" and "left"'
        reading.problem(keys.lead, "unknown-exit", said)
        return None
    made: ExitRule | None = read_shape(keys, variant(keys, EXIT_KINDS, leads[0]))
    keys.close()
    return made
