"""Values read by their forms: one small function per form, which returns the value or reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from transforms.flows.clock.delays import Delay
from transforms.flows.definitions import forms
from transforms.flows.definitions.flow import FlowId
from transforms.flows.definitions.space import SpaceValue
from transforms.flows.definitions.steps.branches import Branch
from transforms.flows.diagnostics import suggest
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.reading.forms import messages, requests, space, updates
from transforms.flows.reading.forms.code import read_code
from transforms.flows.reading.keys import Keys
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.nodes import Node, Scalar, Sequence, describe, text_of
from transforms.flows.reading.values import Reading

Reader = Callable[[Keys, Node, Any], Any]


_SHARE = re.compile(r"\s*(\d{1,3}(?:\.\d)?)\s*%(?:\s+(holdout|rest))?\s*")
_STEM = re.compile(r"([^/\\]*?)(\.ya?ml)?$")


def _flow_id(keys: Keys, node: Node, form: FlowId) -> str | None:
    name = keys.reading.name(node, form.what)
    stem = _STEM.search(keys.reading.report.source.path)
    if name is not None and stem is not None and stem[1] != name:
        message = f'the flow is called "{name}", but its file is "{stem[0]}"'
        keys.reading.problem(node, "flow-name", message, f'name the file "{name}.yaml"')
    return name


def _mark(keys: Keys, node: Node, form: forms.Mark) -> bool | None:
    value = keys.reading.flag(node)
    if value is False:
        keys.reading.problem(node, "wrong-kind", f"{keys.key_of(node)} is false", "leave it out")
    return value


def _word(keys: Keys, node: Node, form: forms.Word) -> bool | None:
    return True if keys.reading.one_of(node, (form.word,)) is not None else None


def _visit_delay(keys: Keys, node: Node, form: forms.VisitDelay) -> Delay | None:
    if not isinstance(node, Scalar):
        return keys.reading.delay(node)
    bare = msgspec.structs.replace(node, text=forms.IN_VISIT.sub("", node.text))
    delay = keys.reading.delay(bare, forms.MAX_DAYS)
    if delay is not None and not delay.ms:
        message = f'"{delay.text}" is not a fixed length of time, which a wait in a visit needs'
        keys.reading.problem(node, "invalid-duration", message, "write for example 20s in visit")
    return delay


def _expression(keys: Keys, node: Node, form: forms.Expression) -> Expr | None:
    reading = keys.reading
    if form.roots is not None:
        reading = Reading(reading.report, reading.known.at_hand(*form.roots))
    event = text_of(keys.node.get("event")) if form.event else ""
    return reading.value(node, event or None, form.wants)


def _send_step(keys: Keys, node: Node, form: forms.SendStep) -> str | None:
    reading, known = keys.reading, keys.reading.known
    name = reading.text(node)
    if name is None or name in known.senders:
        return name
    if name in known.steps:
        reading.problem(node, "not-a-send", f'step "{name}" sends nothing', "name a send step")
    else:
        meant = suggest(name, known.senders)
        reading.problem(node, "unknown-step", f'there is no step "{name}"', meant)
    return name


def _static_audience(keys: Keys, node: Node, form: forms.StaticAudience) -> str | None:
    name = keys.reading.listed(node, form.kind)
    if name in keys.reading.known.computed:
        message = f'audience "{name}" is computed; only a static one takes members'
        keys.reading.problem(node, "computed-audience", message)
    return name


def _list(keys: Keys, node: Node, form: forms.ListOf) -> tuple[Any, ...]:
    if form.empty and isinstance(node, Sequence) and not node.items:
        keys.reading.problem(keys.lead, "empty-step", f"{keys.what} {form.empty}")
    read = forms.entry_for(FORMS, form.of)
    return keys.reading.many(node, lambda item: read(keys, item, form.of))


def _one_or_more(keys: Keys, node: Node, form: forms.OneOrMore) -> tuple[Any, ...]:
    if isinstance(node, Sequence):
        return _list(keys, node, form)
    value = forms.entry_for(FORMS, form.of)(keys, node, form.of)
    return () if value is None else (value,)


# --- the branches of a split (I11) -------------------------------------------------------------


def _shares(keys: Keys, node: Node, routes: str) -> tuple[Branch, ...] | None:
    """Read branches with their shares; ``routes`` is the key of their steps."""
    reading, then = keys.reading, keys.get(routes)
    if not isinstance(node, Map) or not node.items:
        message = f"{keys.what} splits into {describe(node)}"
        hint = "write for example {one: 50%, other: 50%}"
        reading.problem(node, "wrong-kind", message, hint)
        return None
    if then is not None and not isinstance(then, Map):
        message = f"{keys.what} goes on to {describe(then)}"
        hint = "write a step for each branch, for example {one: here, other: there}"
        reading.problem(then, "wrong-kind", message, hint)
        return None
    if then is not None:
        names = [key.text for key, _ in node.items]
        for key, _ in then.items:
            if key.text not in names:
                message = f'{keys.what} has no branch "{key.text}"'
                reading.problem(key, "unknown-branch", message, suggest(key.text, names))
    branches = [_branch(reading, key, share, then) for key, share in node.items]
    made = tuple(branch for branch in branches if branch is not None)
    return made if len(made) == len(branches) else None


def _branch(reading: Reading, key: Scalar, node: Node, then: Map | None) -> Branch | None:
    name = reading.name(key, "a branch")
    text = reading.text(node)
    share = _SHARE.fullmatch(text) if text is not None else None
    tenths = round(float(share[1]) * 10) if share is not None else 0
    if text is not None and (share is None or tenths > 1000):
        hint = "write for example 45%, 0.5%, 10% holdout or 60% rest"
        reading.problem(node, "invalid-percentage", f'"{text}" is not a share', hint)
        return None
    target = then.get(key.text) if then is not None else None
    step = reading.step(target) if target is not None else None
    if name is None or share is None:
        return None
    return Branch(name, tenths, share[2] == "holdout", step, share[2] == "rest")


FORMS: Mapping[type[forms.Form], Reader] = {
    forms.Text: lambda keys, node, form: keys.reading.text(node),
    forms.Name: lambda keys, node, form: keys.reading.name(node, form.what),
    FlowId: _flow_id,
    forms.Whole: lambda keys, node, form: keys.reading.whole(node, form.least, form.code),
    forms.Percent: lambda keys, node, form: keys.reading.percent(node),
    forms.Flag: lambda keys, node, form: keys.reading.flag(node),
    forms.Mark: _mark,
    forms.Word: _word,
    forms.Choice: lambda keys, node, form: keys.reading.one_of(node, form.options),
    forms.Delay: lambda keys, node, form: keys.reading.delay(node, form.most),
    forms.VisitDelay: _visit_delay,
    forms.Moment: lambda keys, node, form: keys.reading.moment(node),
    forms.Window: lambda keys, node, form: keys.reading.window(node),
    forms.Instant: lambda keys, node, form: keys.reading.instant(node),
    forms.Zone: lambda keys, node, form: keys.reading.zone(node),
    forms.Limit: lambda keys, node, form: keys.reading.limit(node),
    forms.Expression: _expression,
    forms.Named: lambda keys, node, form: keys.reading.named(node),
    forms.Properties: lambda keys, node, form: updates.properties(keys, node, form.event),
    forms.Targets: lambda keys, node, form: updates.targets(keys.reading, node, form.wants),
    forms.TargetNames: lambda keys, node, form: updates.target_names(keys.reading, node),
    forms.StepName: lambda keys, node, form: keys.reading.step(node),
    forms.SendStep: _send_step,
    forms.Listed: lambda keys, node, form: keys.reading.listed(node, form.kind),
    forms.StaticAudience: _static_audience,
    forms.Number: lambda keys, node, form: messages.number(keys, node, form.takes),
    forms.FlowName: lambda keys, node, form: keys.reading.flow(node),
    forms.EventName: lambda keys, node, form: keys.reading.event(node),
    forms.Trait: lambda keys, node, form: keys.reading.trait(node),
    forms.ParticipantField: lambda keys, node, form: updates.field_name(keys.reading, node),
    forms.ParticipantChange: lambda keys, node, form: updates.change(keys, node, form.options),
    forms.ListOf: _list,
    forms.OneOrMore: _one_or_more,
    forms.Tracked: messages.tracked,
    forms.Keywords: lambda keys, node, form: messages.keywords(keys.reading, node),
    forms.Agents: messages.agents,
    forms.Address: requests.address,
    forms.Headers: lambda keys, node, form: requests.headers(keys.reading, node, form.secrets),
    forms.Stored: lambda keys, node, form: requests.stored(keys.reading, node),
    forms.Code: lambda keys, node, form: read_code(keys, node, form.inputs),
    forms.Shares: lambda keys, node, form: _shares(keys, node, form.routes),
    forms.Routes: lambda keys, node, form: None,  # read with the shares
    SpaceValue: space.space_value,
}
"""How each form of a value is read."""
