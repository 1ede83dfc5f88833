"""Values read by their forms: one small function per form, which returns the value or reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from transforms.flows.clock.delays import Delay
from transforms.flows.definitions import forms
from transforms.flows.definitions.flow import FlowId
from transforms.flows.diagnostics import suggest
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.reading.fields import Fields
from transforms.flows.reading.forms import messages, requests, splits, updates
from transforms.flows.reading.forms.code import read_code
from transforms.flows.reading.nodes import Node, Scalar, Sequence
from transforms.flows.reading.values import Reading

Reader = Callable[[Fields, Node, Any], Any]


_STEM = re.compile(r"([^/\\]*?)(\.ya?ml)?$")


def _flow_id(found: Fields, node: Node, form: FlowId) -> str | None:
    name = found.reading.name(node, form.what)
    stem = _STEM.search(found.reading.report.source.path)
    if name is not None and stem is not None and stem[1] != name:
        said = f'the flow is called "{name}", but its file is "{stem[0]}"'
        found.reading.problem(node, "flow-name", said, f'name the file "{name}.yaml"')
    return name


def _mark(found: Fields, node: Node, form: forms.Mark) -> bool | None:
    value = found.reading.flag(node)
    if value is False:
        key = next(key.text for key, inner in found.node.items if inner is node)
        found.reading.problem(node, "wrong-kind", f"{key} is false", "leave it out")
    return value


def _word(found: Fields, node: Node, form: forms.Word) -> bool | None:
    return True if found.reading.one_of(node, (form.word,)) is not None else None


def _visit_delay(found: Fields, node: Node, form: forms.VisitDelay) -> Delay | None:
    if not isinstance(node, Scalar):
        return found.reading.delay(node)
    bare = msgspec.structs.replace(node, text=forms.IN_VISIT.sub("", node.text))
    delay = found.reading.delay(bare, forms.MAX_DAYS)
    if delay is not None and not delay.ms:
        said = f'"{delay.text}" is not a fixed length of time, which a wait in a visit needs'
        found.reading.problem(node, "invalid-duration", said, "write for example 20s in visit")
    return delay


def _expression(found: Fields, node: Node, form: forms.Expression) -> Expr | None:
    reading = found.reading
    if form.roots is not None:
        reading = Reading(reading.report, reading.known.at_hand(*form.roots))
    event = found.node.get("event") if form.event else None
    name = event.text if isinstance(event, Scalar) and event.text.strip() else None
    return reading.value(node, name, form.wants)


def _send_step(found: Fields, node: Node, form: forms.SendStep) -> str | None:
    reading, known = found.reading, found.reading.known
    name = reading.text(node)
    if name is None or name in known.senders:
        return name
    if name in known.steps:
        reading.problem(node, "not-a-send", f'step "{name}" sends nothing', "name a send step")
    else:
        meant = suggest(name, known.senders)
        reading.problem(node, "unknown-step", f'there is no step "{name}"', meant)
    return name


def _static_audience(found: Fields, node: Node, form: forms.StaticAudience) -> str | None:
    name = found.reading.listed(node, form.kind)
    if name in found.reading.known.computed:
        said = f'audience "{name}" is computed; only a static one takes members'
        found.reading.problem(node, "computed-audience", said)
    return name


def _list(found: Fields, node: Node, form: forms.ListOf) -> tuple[Any, ...]:
    if form.empty and isinstance(node, Sequence) and not node.items:
        found.reading.problem(found.lead, "empty-step", f"{found.what} {form.empty}")
    read = forms.entry_for(FORMS, form.of)
    return found.reading.many(node, lambda item: read(found, item, form.of))


FORMS: Mapping[type[forms.Form], Reader] = {
    forms.Text: lambda found, node, form: found.reading.text(node),
    forms.Name: lambda found, node, form: found.reading.name(node, form.what),
    FlowId: _flow_id,
    forms.Whole: lambda found, node, form: found.reading.whole(node, form.least, form.code),
    forms.Percent: lambda found, node, form: found.reading.percent(node),
    forms.Flag: lambda found, node, form: found.reading.flag(node),
    forms.Mark: _mark,
    forms.Word: _word,
    forms.Choice: lambda found, node, form: found.reading.one_of(node, form.options),
    forms.Delay: lambda found, node, form: found.reading.delay(node, form.most),
    forms.VisitDelay: _visit_delay,
    forms.Moment: lambda found, node, form: found.reading.moment(node),
    forms.Window: lambda found, node, form: found.reading.window(node),
    forms.Instant: lambda found, node, form: found.reading.instant(node),
    forms.Zone: lambda found, node, form: found.reading.zone(node),
    forms.Limit: lambda found, node, form: found.reading.limit(node),
    forms.Expression: _expression,
    forms.Named: lambda found, node, form: found.reading.named(node),
    forms.Properties: lambda found, node, form: updates.properties(found, node, form.event),
    forms.Targets: lambda found, node, form: updates.targets(found.reading, node, form.wants),
    forms.TargetNames: lambda found, node, form: updates.target_names(found.reading, node),
    forms.StepName: lambda found, node, form: found.reading.step(node),
    forms.SendStep: _send_step,
    forms.Listed: lambda found, node, form: found.reading.listed(node, form.kind),
    forms.StaticAudience: _static_audience,
    forms.Number: lambda found, node, form: messages.number(found, node, form.takes),
    forms.FlowName: lambda found, node, form: found.reading.flow(node),
    forms.EventName: lambda found, node, form: found.reading.event(node),
    forms.Trait: lambda found, node, form: found.reading.trait(node),
    forms.ParticipantField: lambda found, node, form: updates.field_name(found.reading, node),
    forms.ParticipantChange: lambda found, node, form: updates.change(found, node, form.options),
    forms.ListOf: _list,
    forms.Tracked: messages.tracked,
    forms.Keywords: lambda found, node, form: messages.keywords(found.reading, node),
    forms.Agents: messages.agents,
    forms.Address: requests.address,
    forms.Headers: lambda found, node, form: requests.read_headers(found.reading, node),
    forms.Stored: lambda found, node, form: requests.stored(found.reading, node),
    forms.Code: lambda found, node, form: read_code(found, node, form.inputs),
    forms.Shares: lambda found, node, form: splits.shares(found, node, form.routes),
    forms.Routes: splits.routes,
}
"""How each form of a value is read."""
