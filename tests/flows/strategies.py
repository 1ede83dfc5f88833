"""Hypothesis strategies for valid flows, with all that the loader accepts.

``flows()`` fits ``SPACE`` and ``TEMPLATES``; use it where a property must hold for all flows.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import msgspec
from hypothesis import strategies as st

from tests.flows.part_strategies import (
    _INPUTS,
    CHANNELS,
    CODES,
    SPACE,
    TEMPLATES,
    _call,
    conditions,
    delays,
    effects,
    exits,
    heard,
    joined,
    keywords,
    matches,
    moments,
    named,
    names,
    numbers,
    optional_condition,
    places,
    plain,
    predefined,
    reenter,
    schedules,
    texts,
    triggers,
    values,
    window,
    zones,
)
from tests.kit.examples import example_of, flow_text, others
from transforms.flows.clock.delays import Delay, longest
from transforms.flows.clock.zones import DAY
from transforms.flows.definitions import forms
from transforms.flows.definitions.flow import Flow, GoalAudience, GoalEvent, GoalWhen, Schedule
from transforms.flows.definitions.ports import ReadStep, follow, written
from transforms.flows.definitions.steps.branches import (
    Branch,
    If,
    IfCase,
    Keywords,
    MatchMessage,
    Split,
    Winning,
)
from transforms.flows.definitions.steps.calls import RunCode
from transforms.flows.definitions.steps.flows import End
from transforms.flows.definitions.steps.kinds import Step, Verb
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.definitions.steps.waits import (
    CaseAudience,
    CaseCall,
    CaseEvent,
    CaseInbound,
    CaseStatus,
    CaseWhen,
    WaitFor,
    WaitUntil,
    WaitVisit,
)
from transforms.flows.definitions.triggers.events import OnEvent
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.triggers.messages import OnCall, OnInbound, OnIncoming
from transforms.flows.definitions.values import Reenter, keyword
from transforms.flows.diagnostics import Report, Source
from transforms.flows.expressions.syntax.parse import parse
from transforms.flows.reading.keys import Keys
from transforms.flows.reading.names import of_space
from transforms.flows.reading.nodes import Mapping, compose
from transforms.flows.reading.shapes import read_shape
from transforms.flows.reading.values import Reading

OTHERS = others(
    "wait wait_until wait_in wait_for if match_message split send promote webhook call code export "
    "update add_to remove_from emit enroll leave cancel end".split()
)
"""Steps that are generated from the example of their kind."""

LISTED = {"channel": "email", "audience": "testers", "number": "4711", "topic": "news"}
LISTED |= {"connection": "bureau", "destination": "crm"}

__all__ = ["SPACE", "TEMPLATES", "flows"]


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """Generate a flow of up to eight steps, each of which can be reached."""
    goals = draw(
        st.lists(
            st.builds(GoalEvent, names, matches, delays.filter(_short), st.none() | numbers)
            | st.builds(GoalWhen, names, conditions, delays.filter(_short), st.none() | numbers)
            | st.builds(
                GoalAudience, names, st.just("vip"), delays.filter(_short), st.none() | numbers
            ),
            max_size=2,
            unique_by=lambda goal: goal.name,
        )
    )
    steps = draw(_steps())
    taken = {step.name for step in steps}
    campaign = draw(st.none() | st.just("winter"))
    ways = triggers if campaign is None else triggers | joined
    exit_names = draw(st.lists(names.filter(lambda n: n not in taken), max_size=2, unique=True))
    enter = tuple(draw(st.lists(ways, min_size=1, max_size=3).filter(_any_entry)))
    enter += tuple(draw(st.lists(predefined, max_size=1)))
    return Flow(
        id=draw(names),
        enter=enter,
        steps=steps,
        about=draw(st.just("") | texts),
        priority=draw(st.integers(-5, 5)),
        zone=draw(zones),
        schedule=draw(
            schedules | st.just(Schedule(indefinitely=True)) if _lasts(enter) else schedules
        ),
        holdout=draw(st.integers(0, 100)),
        key=draw(st.none() | values),
        simultaneous=draw(st.booleans()),
        reenter=draw(reenter | st.just(Reenter())),
        exit=tuple(draw(st.lists(exits, max_size=2))),
        goals=tuple(goals),
        exit_on_goal=bool(goals) and draw(st.booleans()),
        on_exit=_chain(exit_names, [draw(effects) for _ in exit_names]),
        group=draw(st.none() | st.just("lane")),
        campaign=campaign,
    )


def _any_entry(found: list[Trigger]) -> bool:
    """Return True if the entry may have any fields: those of user messages are known."""
    sent = (OnInbound, OnCall, OnIncoming)
    return not all(isinstance(trigger, sent) for trigger in found)


def _lasts(enter: tuple[Trigger, ...]) -> bool:
    """Return True if a flow may run indefinitely: it has a trigger that can fire at any time."""
    return any(isinstance(trigger, OnEvent) for trigger in enter)


def _short(delay: Delay) -> bool:
    return longest(delay) < 100 * DAY


def _chain(found: list[str], verbs: list[Verb]) -> tuple[Step, ...]:
    return tuple(
        Step(name, verb, then) for name, verb, then in zip_longest(found, verbs, found[1:])
    )


@st.composite
def _steps(draw: st.DrawFn) -> tuple[Step, ...]:
    found = draw(st.lists(names, min_size=1, max_size=8, unique=True))
    wanted = set(found[1:])
    steps: list[Step] = []
    for number, name in enumerate(found):
        step = draw(_step(name, found[number + 1 :], wanted, [s.name for s in steps if _sends(s)]))
        wanted -= {step.then, *written(step.verb)}
        steps.append(step)
    return tuple(steps)


def _sends(step: Step) -> bool:
    return isinstance(step.verb, Send)


@st.composite
def _step(
    draw: st.DrawFn, name: str, later: list[str], wanted: set[str], senders: list[str]
) -> Step:
    """Generate a step that leads to the next one, unless an earlier one does."""
    if not later:
        return Step(name, draw(plain | st.builds(End, names)))
    free = later[0] not in wanted
    to = st.sampled_from(later)
    first = draw(to) if free else later[0]
    kinds = "plain until visit for if match split send call code".split()
    kinds += ["end"] if free else []
    kinds += ["other"] if OTHERS else []
    match draw(st.sampled_from(kinds)):
        case "other":
            return draw(_from_example(name, first, later))
        case "plain":
            return Step(name, draw(plain), first)
        case "until":
            past = draw(st.sampled_from(["go", "exit"]))
            return Step(name, WaitUntil(draw(moments), past, draw(st.none() | to)), first)
        case "visit":
            exact = draw(delays.filter(lambda delay: delay.ms))
            return Step(name, WaitVisit(exact, draw(st.none() | to)), first)
        case "for":
            return Step(name, draw(_wait_for(first, to, name, senders)))
        case "if":
            ways = draw(st.lists(st.builds(IfCase, conditions, to), min_size=1, max_size=3))
            return Step(name, If(tuple(ways), first))
        case "match":
            words = draw(st.lists(texts, min_size=1, max_size=3, unique_by=keyword))
            found = [Keywords((word.strip(),), draw(to)) for word in words]
            found += [Keywords((), draw(to))] if draw(st.booleans()) else []
            return Step(name, MatchMessage(tuple(found), first))
        case "split":
            return Step(name, draw(_split(first, to)))
        case "send":
            return Step(name, draw(_send(to)), first)
        case "call":
            return Step(name, draw(_call(to)), first)
        case "code":
            failed, source = draw(st.none() | to), draw(st.sampled_from(CODES))
            return Step(name, RunCode(source, draw(_INPUTS), failed), first)
        case _:
            return Step(name, End(draw(names)))


@st.composite
def _from_example(draw: st.DrawFn, name: str, first: str, later: list[str]) -> Step:
    """Generate a step from the example of its kind, with names of this flow and its space."""
    kind = draw(st.sampled_from(OTHERS))

    def put(form: forms.Form, value: Any) -> Any:
        match form:
            case forms.StepName():
                return draw(st.sampled_from(later))
            case forms.Condition():
                return draw(conditions).text
            case forms.Delay():
                return draw(delays).text
            case forms.TemplateName():
                return draw(st.sampled_from(sorted(TEMPLATES)))
            case forms.Listed():
                return LISTED.get(form.kind, value)
            case _:
                return value

    text = flow_text(example_of(kind, put, lambda: draw(st.booleans())))
    report = Report(Source("", text))
    known = of_space(SPACE).at_hand("entry", "session").within(frozenset(later))
    root = compose(report)
    assert isinstance(root, Mapping)
    verb = read_shape(Keys(Reading(report, known), root, "a step"), kind)
    assert verb is not None, report.done(None).problems
    (step,) = follow([ReadStep(name, verb, None), ReadStep(first, End(), None)]).steps[:1]
    return step


@st.composite
def _wait_for(
    draw: st.DrawFn, first: str, to: st.SearchStrategy[str], itself: str, senders: list[str]
) -> WaitFor:
    timeout = draw(st.none() | delays)
    kinds = [
        st.builds(CaseEvent, matches, to | st.just(itself)),
        st.builds(CaseWhen, conditions, to),
        st.builds(CaseAudience, st.just("vip"), st.sampled_from(["entered", "left"]), to),
    ]
    kinds += [
        st.builds(
            lambda words, place, *more: CaseInbound(words, *place, *more),
            keywords,
            places,
            heard,
            to,
        ),
        st.builds(CaseCall, st.none() | st.just("4711"), st.just("sms"), heard, to),
    ]
    if senders:
        status = st.sampled_from(["opened", "clicked"])
        asked = optional_condition | st.just(parse("communication.duration > 3"))
        kinds.append(st.builds(CaseStatus, status, st.sampled_from(senders), to, asked))
    cases = draw(st.lists(st.one_of(kinds), max_size=2))
    restart = timeout is not None and draw(st.booleans())
    if restart:
        heard_again = [CaseInbound(("go on",), "4711"), CaseCall(channel="sms")]
        cases.append(draw(st.builds(CaseEvent, matches) | st.sampled_from(heard_again)))
    if timeout is None or not cases:
        cases.append(CaseEvent(draw(matches), first))
    rank = timeout is not None and draw(st.booleans())
    return WaitFor(tuple(cases), timeout, first if timeout else None, rank, restart)


@st.composite
def _split(draw: st.DrawFn, first: str, to: st.SearchStrategy[str]) -> Split:
    labels = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    shares = [1000 // len(labels)] * len(labels)
    shares[0] += 1000 - sum(shares)
    held = draw(st.booleans()) and len(labels) > 1
    ways = [first, *(draw(to) for _ in labels[1:])]
    branches = [Branch(n, s, False, w) for n, s, w in zip(labels, shares, ways, strict=True)]
    if held:
        branches[-1] = Branch(labels[-1], shares[-1], True, draw(st.none() | to))
    won = st.builds(
        Winning, st.sampled_from(("opened", "clicked")), st.integers(1, 999), st.just(90)
    )
    best = draw(st.none() | won)
    if best is not None and draw(st.booleans()):
        branches[0] = msgspec.structs.replace(branches[0], rest=True, holdout=False)
    return Split(tuple(branches), draw(st.booleans()), best)


@st.composite
def _send(draw: st.DrawFn, to: st.SearchStrategy[str]) -> Send:
    reasons = ("no_consent", "no_address", "expired", "capped")
    chosen = draw(st.sets(st.sampled_from(reasons), max_size=2))
    failover = tuple(draw(st.lists(st.sampled_from(CHANNELS), max_size=1)))
    channel = draw(st.sampled_from(CHANNELS))
    known = {"email": ("email", "desk"), "sms": ("sms", "line")}
    fitting = [known[name] for name in dict.fromkeys((channel, *failover))]
    return Send(
        channel=channel,
        template=draw(st.sampled_from(sorted(TEMPLATES))),
        data=draw(named),
        at=draw(st.none() | moments),
        topic=draw(st.none() | st.sampled_from(["marketing", "news"])),
        window=draw(st.none() | window),
        validity=draw(st.none() | delays),
        failover=failover,
        failover_after=draw(st.none() | delays) if failover else None,
        keep=draw(st.booleans()),
        hold=draw(st.booleans()),
        branches=tuple((reason, draw(to)) for reason in reasons if reason in chosen),
        agents=tuple(draw(st.lists(st.sampled_from(fitting), unique=True))),
        track=draw(st.sampled_from([None, (), ("clicks",)])),
        links=draw(st.sampled_from([None, "short", "whole"])),
    )
