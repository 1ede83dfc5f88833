"""A flow as a graph: what the pictures draw and a canvas reads. Nodes in the order of the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, assert_never

import msgspec

from transforms.flows.definitions.flow import ExitAudience, ExitEvent, ExitRule, ExitWhen, Flow
from transforms.flows.definitions.reentry import Reenter
from transforms.flows.definitions.steps.branches import If, MatchMessage, Split
from transforms.flows.definitions.steps.calls import CallApi, CallWebhook, ExportFields, RunCode
from transforms.flows.definitions.steps.flows import End, Enroll, Leave
from transforms.flows.definitions.steps.kinds import Step, Verb
from transforms.flows.definitions.steps.sends import CancelAll, Promote, Send
from transforms.flows.definitions.steps.updates import ChangeAudience, EmitEvent, Update
from transforms.flows.definitions.steps.waits import (
    Case,
    CaseAudience,
    CaseCall,
    CaseEvent,
    CaseInbound,
    CaseStatus,
    CaseWhen,
    Wait,
    WaitFor,
    WaitUntil,
    WaitVisit,
    WaitWindow,
)
from transforms.flows.definitions.triggers.audiences import OnAudience, OnPeople, OnTag
from transforms.flows.definitions.triggers.events import OnCombination, OnEvent
from transforms.flows.definitions.triggers.flows import OnEnter, OnFlow
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.triggers.messages import (
    OnCall,
    OnCommunication,
    OnInbound,
    OnIncoming,
)
from transforms.flows.definitions.triggers.participants import OnParticipant
from transforms.flows.definitions.triggers.profile import OnDate, OnProfile, OnSchedule
from transforms.flows.definitions.values import EventMatch
from transforms.flows.expressions.syntax.ast import Expr

Kind = Literal["enter", "wait", "decide", "send", "effect", "end", "exit", "goal"]

END = "@end"
"""The node of a session that ends without an ``end`` step."""


class Node(msgspec.Struct, frozen=True, gc=False):
    """A box: ``id`` is the step's name, or begins with ``@`` for what is no step.

    ``aside``: it has no place in the order of the steps (exit rules, goals, on exit).
    """

    id: str
    kind: Kind
    caption: str
    title: str
    details: tuple[str, ...] = ()
    aside: bool = False


class Edge(msgspec.Struct, frozen=True, gc=False):
    """A way from one box to another, taken under the condition that the label names."""

    source: str
    target: str
    label: str = ""


class Graph(msgspec.Struct, frozen=True, gc=False):
    """A flow to draw; ``facts`` are its settings in one line."""

    id: str
    title: str
    about: str
    facts: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph_of(flow: Flow) -> Graph:
    """Make the graph of a flow: triggers, steps, ends, and beside them exits and goals."""
    triggers = [_trigger(number, t) for number, t in enumerate(flow.enter)]
    first = flow.steps[0].name if flow.steps else END
    edges = [Edge(node.id, first) for node in triggers]
    for step in flow.steps:
        edges += [Edge(step.name, to or END, label) for label, to in _ways(step)]
    steps = [_step(step) for step in flow.steps]
    if any(edge.target == END for edge in edges):
        steps.append(Node(END, "end", "End", "completed"))
    nodes = (*triggers, *steps, *_asides(flow))
    return Graph(flow.id, flow.id, flow.about, _facts(flow), nodes, tuple(edges))


def _facts(flow: Flow) -> str:
    parts = []
    if flow.key is not None:
        parts.append(f"one session per {flow.key.text}")
    if flow.campaign:
        parts.append(f"campaign {flow.campaign}")
    if flow.simultaneous:
        parts.append("several sessions at once")
    parts.append(_again(flow.reenter))
    if flow.holdout:
        parts.append(f"{flow.holdout}% get nothing (holdout)")
    if flow.group:
        parts.append(f"competes in {flow.group}")
    if flow.schedule.start:
        parts.append(f"from {flow.schedule.start}")
    if flow.schedule.end:
        parts.append(f"until {flow.schedule.end}")
    if flow.zone:
        parts.append(flow.zone)
    return " · ".join(part for part in parts if part)


def _again(reenter: Reenter | None) -> str:
    if reenter is None:
        return ""
    if not reenter.allowed:
        return "each user once"
    parts = [f"again {reenter.after.text} after the last exit"] if reenter.after else []
    parts += [
        f"at most {limit.most} {'entry' if limit.most == 1 else 'entries'} per {limit.per.text}"
        for limit in reenter.limits
    ]
    return ", ".join(parts)


# --- entry, exit, goals ----------------------------------------------------------


def _trigger(number: int, trigger: Trigger) -> Node:
    title, details = _entry(trigger)
    again = _again(trigger.reenter)
    said = tuple(text for text in (*details, again) if text)
    return Node(f"@enter{number}", "enter", "Enter", title, said)


def _entry(trigger: Trigger) -> tuple[str, tuple[str, ...]]:
    match trigger:
        case OnEvent():
            return trigger.match.event, (_where(trigger.match.where),)
        case OnCombination():
            return _combination(trigger)
        case OnProfile():
            return f"{trigger.trait} changes", _change(trigger)
        case OnAudience():
            title = {
                "entered": "joins {}",
                "left": "leaves {}",
                "member": "is in {} at the launch, or joins",
                "launch": "is in {} at the launch",
            }[trigger.when]
            return title.format(trigger.audience), ()
        case OnDate():
            every = "every year" if trigger.yearly else ""
            return trigger.moment.text, (every, _where(trigger.where))
        case OnSchedule():
            return trigger.moment.text, (f"everyone in {trigger.audience}",)
        case OnEnter():
            return "by the Flow API", (_where(trigger.where),)
        case OnTag():
            when = {"member": "there at the launch, or added", "launch": "there at the launch"}
            return f"tag {trigger.tag} is {when.get(trigger.when, trigger.when)}", ()
        case OnPeople():
            return "people of a list, at a launch", ()
        case OnCommunication():
            return f"a message {'changes' if trigger.when == 'updated' else 'ends'}", (
                _where(trigger.where),
            )
        case OnParticipant():
            title = f"a participant is {trigger.when}"
            changed = f"field {trigger.field}" if trigger.field else ""
            each = "at each upload" if trigger.always else ""
            return title, (changed, each, _where(trigger.where))
        case OnFlow():
            return f"from {trigger.flow}", (_where(trigger.where),)
        case OnInbound() | OnCall():
            return _sent(trigger), (_where(trigger.where),)
        case OnIncoming():
            return f"whatever comes by {trigger.channel}", (_where(trigger.where),)
        case _:
            assert_never(trigger)


def _sent(said: OnInbound | OnCall | CaseInbound | CaseCall) -> str:
    """Say what a user sends: its words, and where."""
    what = "calls"
    if isinstance(said, OnInbound | CaseInbound):
        what = f"sends {_words(said.keywords)}"
    to = f" to {said.number}" if said.number else ""
    return what + to + (f" by {said.channel}" if said.channel else "")


def _words(keywords: tuple[str, ...]) -> str:
    return " or ".join(f'"{word}"' for word in keywords) or "any message"


def _combination(trigger: OnCombination) -> tuple[str, tuple[str, ...]]:
    words = {"all": " and ", "any": " or ", "sequence": ", then ", "without": " without "}
    first, *others = trigger.parts
    names = [part.event for part in trigger.parts]
    if trigger.how == "without":
        rest = " or ".join(part.event for part in others)
        names = [first.event, rest]
    conditions = [_match(part) for part in trigger.parts if part.where is not None]
    within = f"within {trigger.within.text}"
    return words[trigger.how].join(names), (within, *conditions)


def _change(trigger: OnProfile) -> tuple[str, ...]:
    return (
        f"from {trigger.before.text}" if trigger.before is not None else "",
        f"to {trigger.after.text}" if trigger.after is not None else "",
        f"held for {trigger.held.text}" if trigger.held is not None else "",
        _where(trigger.where),
    )


def _asides(flow: Flow) -> Iterator[Node]:
    for goal in flow.goals:
        details = (_match(goal.match), f"within {goal.within.text} of the entry")
        value = (f"worth {goal.value.text}",) if goal.value is not None else ()
        leaves = ("then the session ends",) if flow.exit_on_goal else ()
        yield Node(
            f"@goal.{goal.name}", "goal", "Goal", goal.name, (*details, *value, *leaves), aside=True
        )
    for number, rule in enumerate(flow.exit):
        yield _exit(number, rule)
    for step in flow.on_exit:
        made = _step(step)
        yield Node(
            f"@on_exit.{step.name}",
            made.kind,
            f"On exit: {made.caption}",
            made.title,
            made.details,
            aside=True,
        )


def _exit(number: int, rule: ExitRule) -> Node:
    match rule:
        case ExitEvent():
            title, details = rule.match.event, (_where(rule.match.where),)
        case ExitWhen():
            title, details = "condition", (rule.when.text,)
        case ExitAudience():
            title, details = f"leaves {rule.audience}", ("",)
        case _:
            assert_never(rule)
    said = tuple(text for text in details if text)
    return Node(f"@exit{number}", "exit", "Leave at once", title, said, aside=True)


def _where(expr: Expr | None) -> str:
    return f"where {expr.text}" if expr is not None else ""


def _match(match: EventMatch) -> str:
    return " ".join(text for text in (match.event, _where(match.where)) if text)


# --- steps -----------------------------------------------------------------------


def _step(step: Step) -> Node:
    kind, caption, details = _said(step.verb)
    return Node(step.name, kind, caption, step.name, tuple(text for text in details if text))


def _said(verb: Verb) -> tuple[Kind, str, tuple[str, ...]]:
    """Say what a step does: its kind, a caption, and details, of which empty ones fall away."""
    match verb:
        case Wait():
            return "wait", "Wait", (verb.delay.text,)
        case WaitVisit():
            return "wait", "Wait in the visit", (verb.delay.text,)
        case WaitUntil():
            past = "a past date ends the session" if verb.past == "exit" else ""
            return "wait", "Wait until", (verb.moment.text, past)
        case WaitWindow():
            return "wait", "Wait for opening hours", (verb.window.text,)
        case WaitFor():
            rank = "the first listed counts" if verb.rank else ""
            restart = "each repeat starts the time anew" if verb.restart else ""
            return "wait", "Wait for what comes first", (rank, restart)
        case If():
            return "decide", "Decide", ()
        case MatchMessage():
            return "decide", "By the words of the message", ()
        case Split():
            best = f"the best by {verb.winner.metric} wins" if verb.winner else ""
            return "decide", "Split", ("drawn anew at each entry" if verb.redraw else "", best)
        case Send():
            return "send", f"Send {verb.channel}", _sending(verb)
        case Promote():
            return "send", f"Promote in {verb.slot}", _promoting(verb)
        case CallApi():
            return "wait", "Call", (f"{verb.method} {verb.url}", verb.connection or "")
        case RunCode():
            return "effect", "Code", (", ".join(name for name, _ in verb.inputs),)
        case CallWebhook() | ExportFields() | EmitEvent():
            return _outgoing(verb)
        case Update():
            return "effect", "Update", tuple(_updates(verb))
        case ChangeAudience():
            return "effect", "Add to" if verb.add else "Remove from", (verb.audience,)
        case Enroll():
            return "effect", "Enroll", (verb.flow,)
        case CancelAll():
            return "effect", "Cancel messages", ("planned, or not yet delivered",)
        case Leave():
            return "effect", "Leave", (", ".join(verb.flows),)
        case End():
            return "end", "End", (verb.reason,)
        case _:
            assert_never(verb)


def _sending(verb: Send) -> tuple[str, ...]:
    return (
        f"template {verb.template}",
        f"topic {verb.topic}" if verb.topic else "",
        f"at {verb.at.text}" if verb.at is not None else "",
        verb.window.text if verb.window is not None else "",
        f"valid for {verb.validity.text}" if verb.validity is not None else "",
        f"else by {', '.join(verb.failover)}" if verb.failover else "",
        f"after {verb.failover_after.text}" if verb.failover_after is not None else "",
    )


def _promoting(verb: Promote) -> tuple[str, ...]:
    return (
        verb.promotion,
        f"for {verb.lasts.text}" if verb.lasts is not None else "",
        f"while {verb.while_.text}" if verb.while_ is not None else "",
    )


def _outgoing(
    verb: CallWebhook | ExportFields | EmitEvent,
) -> tuple[Kind, str, tuple[str, ...]]:
    match verb:
        case CallWebhook():
            return "effect", "Webhook", (f"{verb.method} {verb.url}", verb.connection or "")
        case ExportFields():
            fields = ", ".join(name for name, _ in verb.fields)
            return "effect", f"Export to {verb.destination}", (fields,)
        case EmitEvent():
            return "effect", "Raise event", (verb.event,)


def _updates(verb: Update) -> Iterator[str]:
    for name, expr in verb.set:
        yield f"{name} = {expr.text}"
    for name in verb.unset:
        yield f"unset {name}"
    for name, expr in verb.increment:
        yield f"{name} + {expr.text}"
    for name, expr in verb.append:
        yield f"{name}, append {expr.text}"
    if verb.tag:
        yield f"tag {', '.join(verb.tag)}"
    if verb.untag:
        yield f"untag {', '.join(verb.untag)}"


def _ways(step: Step) -> Iterator[tuple[str, str | None]]:
    """Give every way on from a step: its label and where it leads, None for the end."""
    verb = step.verb
    match verb:
        case End():
            return
        case If():
            for branch in verb.cases:
                yield branch.when.text, branch.then
            yield "else", verb.otherwise
        case MatchMessage():
            for words in verb.cases:
                yield _words(words.keywords), words.then
            yield "else", verb.otherwise
        case Split():
            for part in verb.branches:
                held = ", holdout" * part.holdout + ", rest" * part.rest
                yield f"{part.name} {part.percent}%{held}", part.then
        case WaitFor():
            for case in verb.cases:
                if case.then is not None or not verb.restart:
                    yield _case(case), case.then
            if verb.timeout is not None:
                yield f"after {verb.timeout.text}", verb.timeout_then
        case WaitVisit():
            yield "", step.then
            yield "gone", verb.gone
        case WaitUntil():
            yield "", step.then
            if verb.missing is not None:
                yield "no date", verb.missing
        case Send():
            yield "", step.then
            for reason, to in verb.branches:
                yield reason.replace("_", " "), to
        case CallApi() | RunCode():
            yield "", step.then
            if isinstance(verb, CallApi) and verb.timeout is not None and verb.timeout_then:
                yield f"after {verb.timeout.text}", verb.timeout_then
            if verb.error is not None:
                yield "error", verb.error
        case _:
            yield "", step.then


def _case(case: Case) -> str:
    match case:
        case CaseEvent():
            return _match(case.match)
        case CaseStatus():
            found = (f"{case.step} {case.status}", _where(case.where))
            return " ".join(text for text in found if text)
        case CaseWhen():
            return case.when.text
        case CaseInbound() | CaseCall():
            return " ".join(text for text in (_sent(case), _where(case.where)) if text)
        case CaseAudience():
            return f"{'joins' if case.when == 'entered' else 'leaves'} {case.audience}"
        case _:
            assert_never(case)
