"""Steps compiled: the values of their fields, each by its form, and their ports by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from transforms.flows.catalog.compiled import END, CompiledStep, InboundMatcher, Matcher, Values
from transforms.flows.catalog.matchers import compiled_path, inbound_matcher, matcher_of
from transforms.flows.catalog.reads import merge_reads
from transforms.flows.clock.schedules import When
from transforms.flows.definitions import forms
from transforms.flows.definitions.ports import all_ports, kind_of_step
from transforms.flows.definitions.shapes import Cases, Inline, kind_of
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.definitions.steps.sends import Send, says_nothing_of_tracking
from transforms.flows.definitions.used import expressions_of
from transforms.flows.definitions.values import EventMatch, Named
from transforms.flows.expressions.evaluation.compile import compile_condition, compile_value
from transforms.flows.expressions.syntax.ast import Expr
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
        part = forms.entry_for(PARTS, field.form)
        part(parts, values.get(field.attribute), field.form)
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


# --- forms ---------------------------------------------------------------------------------------


def _named(parts: _Parts, value: Named, form: forms.Named) -> None:
    parts.values.append(tuple((name, compile_value(expr)) for name, expr in value))


def _moment(parts: _Parts, value: When | None, form: forms.Moment) -> None:
    parts.path = compiled_path(value)


def _condition(parts: _Parts, value: Expr | None, form: forms.Condition) -> None:
    parts.conditions.append(compile_condition(value) if value is not None else None)


def _match(parts: _Parts, value: EventMatch, form: Inline) -> None:
    parts.matchers.append(matcher_of(value))


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


PARTS: Mapping[type[forms.Form], Callable[[_Parts, Any, Any], None]] = {
    forms.Form: lambda parts, value, form: None,
    forms.Named: _named,
    forms.Moment: _moment,
    forms.Condition: _condition,
    Inline: _match,
    Cases: _cases,
}
"""How a field is compiled, by its form; most are not."""

CASES: Mapping[type[forms.Form], Callable[[Any], Condition | Matcher | InboundMatcher | None]] = {
    forms.Form: lambda case: None,
    forms.Condition: lambda case: compile_condition(case.when),
    forms.SendStep: lambda case: matcher_of(EventMatch("", case.where)) if case.where else None,
    forms.Keywords: inbound_matcher,
    forms.Mark: inbound_matcher,
    Inline: lambda case: matcher_of(case.match),
}
"""How a case is compiled, by the form of its first key."""
