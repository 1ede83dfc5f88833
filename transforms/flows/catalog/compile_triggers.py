"""Triggers compiled: the values of their fields, each by its form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from transforms.flows.catalog.compiled import CompiledTrigger
from transforms.flows.catalog.matchers import (
    compiled_path,
    compiled_test,
    compiled_value,
    inbound_matcher,
    matcher_of,
)
from transforms.flows.catalog.reads import merge_reads
from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Inline, Records, kind_of
from transforms.flows.definitions.triggers.kinds import TRIGGER_KINDS, Trigger
from transforms.flows.definitions.triggers.messages import OnCall, OnInbound, OnIncoming
from transforms.flows.definitions.used import expressions_of
from transforms.flows.definitions.values import Reenter


def compile_trigger(trigger: Trigger, number: int, reenter: Reenter) -> CompiledTrigger:
    """Compile a trigger; ``reenter`` is the flow's, for a trigger without its own."""
    kind = kind_of(TRIGGER_KINDS, trigger)
    values = kind.values(trigger)
    parts: dict[str, Any] = {"matchers": ()}
    for field in kind.fields:
        part = forms.entry_for(PARTS, field.form)
        part(parts, field.attribute, values.get(field.attribute))
    if isinstance(trigger, OnInbound | OnCall | OnIncoming):
        parts = {"matchers": (), "inbound": inbound_matcher(trigger)}
    return CompiledTrigger(
        trigger,
        number,
        trigger.reenter or reenter,
        str(trigger.__struct_config__.tag),
        events=frozenset(matcher.event for matcher in parts["matchers"]),
        reads=merge_reads(expressions_of(kind, trigger)),
        **parts,
    )


def _match(parts: dict[str, Any], name: str, value: Any) -> None:
    parts["matchers"] += (matcher_of(value),)


def _matches(parts: dict[str, Any], name: str, value: Any) -> None:
    parts["matchers"] += tuple(map(matcher_of, value))


def _condition(parts: dict[str, Any], name: str, value: Any) -> None:
    parts[name] = compiled_test(value)


def _expression(parts: dict[str, Any], name: str, value: Any) -> None:
    parts[name] = compiled_value(value)


def _moment(parts: dict[str, Any], name: str, value: Any) -> None:
    parts["path"] = compiled_path(value)


PARTS: Mapping[type[forms.Form], Callable[[dict[str, Any], str, Any], None]] = {
    forms.Form: lambda parts, name, value: None,
    forms.Condition: _condition,
    forms.Expression: _expression,
    forms.Moment: _moment,
    Inline: _match,
    Records: _matches,
}
"""How a field is compiled into one of the compiled trigger, by its form; most are not."""
