"""Steps and triggers compiled: the values of their fields, each by its form, and ports by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from transforms.flows.catalog.compiled import (
    END,
    CompiledStep,
    CompiledTrigger,
    InboundMatcher,
    Matcher,
    Values,
)
from transforms.flows.catalog.matchers import (
    compiled_path,
    compiled_test,
    compiled_value,
    inbound_matcher,
    matcher_of,
)
from transforms.flows.catalog.reads import merge_reads
from transforms.flows.definitions import forms
from transforms.flows.definitions.ports import all_ports, kind_of_step
from transforms.flows.definitions.shapes import Cases, Field, Inline, Records, kind_of
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.definitions.steps.sends import Send, says_nothing_of_tracking
from transforms.flows.definitions.triggers.kinds import TRIGGER_KINDS, Trigger
from transforms.flows.definitions.triggers.messages import OnCall, OnInbound, OnIncoming
from transforms.flows.definitions.used import expressions_of
from transforms.flows.definitions.values import EventMatch, Reenter
from transforms.flows.expressions.evaluation.compile import compile_condition, compile_value
from transforms.flows.expressions.view import Condition, View


class _Parts(msgspec.Struct):
    """What is compiled of a step so far: see ``CompiledStep``."""

    values: list[Values] = []
    conditions: list[Condition | None] = []
    matchers: list[Matcher | None] = []
    inbound_matchers: list[InboundMatcher | None] = []
    levels: list[int] = []
    path: Callable[[View], Any] | None = None


def compile_step(step: Step, prefix: str, numbers: Mapping[str, int]) -> CompiledStep:
    """Compile a step; ``numbers`` maps the names of steps, with a prefix, to their numbers."""
    kind, parts = kind_of_step(step.verb), _Parts()
    values = kind.values(step.verb)
    for field in kind.fields:
        _add(parts, field.form, values.get(field.attribute))
    listens = any(m is not None for m in parts.inbound_matchers)

    def number(name: str | None) -> int:
        return END if name is None else numbers[prefix + name]

    ports = all_ports(step.verb)
    return CompiledStep(
        number(step.name),
        prefix + step.name,
        step.verb,
        number(step.then),
        targets=tuple(number(port.to) for port in ports if port.of is not None),
        ports={port.name: number(port.to) for port in ports if port.of is None and port.leads},
        conditions=tuple(parts.conditions),
        matchers=tuple(parts.matchers),
        values=tuple(parts.values),
        path=parts.path,
        awaited=frozenset(m.event for m in parts.matchers if m is not None and m.event),
        levels=tuple(parts.levels),
        timed=tuple(c for c in parts.conditions if c is not None and c.timed) if kind.waits else (),
        reads=merge_reads(expressions_of(kind, step.verb)),
        inbound_matchers=tuple(parts.inbound_matchers) if listens else (),
        plain=not isinstance(step.verb, Send) or says_nothing_of_tracking(step.verb),
    )


def _add(parts: _Parts, form: forms.Form, value: Any) -> None:
    """Compile the value of a field by its form; most are not compiled."""
    match form:
        case forms.Named():
            parts.values.append(tuple((name, compile_value(expr)) for name, expr in value))
        case forms.Moment():
            parts.path = compiled_path(value)
        case forms.Condition():
            parts.conditions.append(compile_condition(value) if value is not None else None)
        case Inline():
            parts.matchers.append(matcher_of(value))
        case Cases():
            _cases(parts, value, form)
        case _:
            pass


def _cases(parts: _Parts, cases: tuple[Any, ...], form: Cases) -> None:
    """Compile cases, each into one of three lists; of a wait, all lists have one entry per case."""
    for index, case in enumerate(cases):
        kind = kind_of(form.kinds, case)
        made = forms.entry_for(CASES, kind.fields[0].form)(case)
        if form.awaited or isinstance(made, Condition):
            parts.conditions.append(made if isinstance(made, Condition) else None)
        if form.awaited or isinstance(made, Matcher):
            parts.matchers.append(made if isinstance(made, Matcher) else None)
        if form.awaited or isinstance(made, InboundMatcher):
            parts.inbound_matchers.append(made if isinstance(made, InboundMatcher) else None)
        if kind.level:
            parts.levels.append(index)


CASES: Mapping[type[forms.Form], Callable[[Any], Condition | Matcher | InboundMatcher | None]] = {
    forms.Form: lambda case: None,
    forms.Condition: lambda case: compile_condition(case.when),
    forms.SendStep: lambda case: matcher_of(EventMatch("", case.where)) if case.where else None,
    forms.Keywords: inbound_matcher,
    forms.Mark: inbound_matcher,
    Inline: lambda case: matcher_of(case.match),
}
"""How a case is compiled, by the form of its first key."""


# --- triggers ----------------------------------------------------------------------------------


def compile_trigger(trigger: Trigger, number: int, reenter: Reenter) -> CompiledTrigger:
    """Compile a trigger; ``reenter`` is the flow's, for a trigger without its own."""
    kind = kind_of(TRIGGER_KINDS, trigger)
    parts: dict[str, Any] = {"matchers": ()}
    if isinstance(trigger, OnInbound | OnCall | OnIncoming):
        parts["inbound"] = inbound_matcher(trigger)
    else:
        for field in kind.fields:
            _add_part(parts, field, kind.values(trigger).get(field.attribute))
    return CompiledTrigger(
        trigger,
        number,
        trigger.reenter or reenter,
        str(trigger.__struct_config__.tag),
        events=frozenset(matcher.event for matcher in parts["matchers"]),
        entry_fields=frozenset().union(*(matcher.entry_fields for matcher in parts["matchers"])),
        reads=merge_reads(expressions_of(kind, trigger)),
        **parts,
    )


def _add_part(parts: dict[str, Any], field: Field, value: Any) -> None:
    """Compile the value of a field by its form; most are not compiled."""
    match field.form:
        case Inline():
            parts["matchers"] += (matcher_of(value),)
        case Records():
            parts["matchers"] += tuple(map(matcher_of, value))
        case forms.Moment():
            parts["path"] = compiled_path(value)
        case forms.Condition():
            parts[field.attribute] = compiled_test(value)
        case forms.Expression():
            parts[field.attribute] = compiled_value(value)
        case _:
            pass
