"""From a checked flow to its plan: what a publication compiles, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, assert_never

from transforms.flows.catalog.compiled import (
    END,
    ON_EXIT,
    CompiledGoal,
    CompiledStep,
    CompiledTrigger,
    GoalSet,
    Matcher,
    Plan,
    Values,
)
from transforms.flows.catalog.inbound_matchers import (
    case_matchers,
    inbound_matcher,
    keyword_matchers,
)
from transforms.flows.catalog.reads import (
    asked,
    merge_reads,
    template_reads,
    visits,
    visits_in,
    watches,
)
from transforms.flows.clock.delays import longest, longest_period
from transforms.flows.clock.schedules import Moment
from transforms.flows.definitions.flow import ExitAudience, ExitEvent, ExitWhen, Flow, Goal
from transforms.flows.definitions.space import Template
from transforms.flows.definitions.steps.branches import If, MatchMessage, Split
from transforms.flows.definitions.steps.calls import CallApi, CallWebhook, ExportFields, RunCode
from transforms.flows.definitions.steps.flows import End, Enroll, Leave
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.definitions.steps.sends import CancelAll, Promote, Send
from transforms.flows.definitions.steps.updates import ChangeAudience, EmitEvent, Update
from transforms.flows.definitions.steps.waits import (
    Case,
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
from transforms.flows.definitions.values import EventMatch, Named
from transforms.flows.expressions.evaluation.compile import compile_condition, compile_value
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.expressions.syntax.parse import parse
from transforms.flows.expressions.view import View


def matcher_of(match: EventMatch) -> Matcher:
    """Compile an event match."""
    return Matcher(match.event, compile_condition(match.where).test if match.where else None)


def _values(named: Named) -> Values:
    return tuple((name, compile_value(expr)) for name, expr in named)


def _target(numbers: Mapping[str, int], prefix: str, name: str | None) -> int:
    return END if name is None else numbers[prefix + name]


def expressions_of(step: Step) -> Iterator[Expr]:
    """Give every expression of a step."""
    verb = step.verb
    match verb:
        case WaitUntil():
            yield from _paths(verb.moment)
        case WaitFor():
            for case in verb.cases:
                match case:
                    case CaseEvent(match=found) if found.where is not None:
                        yield found.where
                    case CaseWhen(when=when):
                        yield when
                    case CaseStatus(where=where) if where is not None:
                        yield where
                    case CaseInbound(where=where) | CaseCall(where=where) if where:
                        yield where
                    case _:
                        pass
        case If():
            for branch in verb.cases:
                yield branch.when
        case Send():
            yield from _paths(verb.at)
            yield from (expr for _, expr in verb.data)
        case Promote():
            if verb.while_ is not None:
                yield verb.while_
        case CallWebhook() | CallApi():
            yield from (expr for _, expr in verb.data)
        case RunCode():
            yield from (expr for _, expr in verb.inputs)
        case ExportFields():
            yield from (expr for _, expr in verb.fields)
        case Update():
            for _, expr in (*verb.set, *verb.increment, *verb.append):
                yield expr
        case EmitEvent():
            yield from (expr for _, expr in verb.properties)
        case Enroll():
            yield from (expr for _, expr in verb.data)
        case (
            Wait()
            | WaitVisit()
            | WaitWindow()
            | MatchMessage()
            | Split()
            | ChangeAudience()
            | Leave()
            | CancelAll()
            | End()
        ):
            pass
        case _:
            assert_never(verb)


def _node(step: Step, prefix: str, numbers: Mapping[str, int]) -> CompiledStep:
    verb = step.verb
    number, then = numbers[prefix + step.name], _target(numbers, prefix, step.then)
    read = merge_reads(expressions_of(step))

    def target(name: str | None) -> int:
        return _target(numbers, prefix, name)

    def node(**more: Any) -> CompiledStep:
        return CompiledStep(number, prefix + step.name, verb, then, reads=read, **more)

    match verb:
        case WaitUntil():
            named = {"missing": target(verb.missing)} if verb.missing else {}
            return node(ports=named, path=_value(*_paths(verb.moment)))
        case WaitFor():
            found = [_awaited(case) for case in verb.cases]
            conditions = tuple(
                compile_condition(c.when) if isinstance(c, CaseWhen) else None for c in verb.cases
            )
            return node(
                targets=tuple(target(case.then) for case in verb.cases),
                matchers=tuple(matcher_of(m) if m else None for m in found),
                conditions=conditions,
                awaited=frozenset(m.event for m in found if m and m.event),
                levels=tuple(
                    i for i, c in enumerate(verb.cases) if isinstance(c, CaseWhen | CaseStatus)
                ),
                timed=tuple(c for c in conditions if c is not None and c.timed),
                ports={"timeout": target(verb.timeout_then)},
                inbound_matchers=case_matchers(verb.cases),
            )
        case WaitVisit():
            return node(ports={"gone": target(verb.gone)})
        case If():
            return node(
                targets=tuple(target(case.then) for case in verb.cases),
                conditions=tuple(compile_condition(case.when) for case in verb.cases),
                ports={"else": target(verb.otherwise)},
            )
        case MatchMessage():
            return node(
                targets=tuple(target(case.then) for case in verb.cases),
                ports={"else": target(verb.otherwise)},
                inbound_matchers=keyword_matchers(verb),
            )
        case Split():
            return node(targets=tuple(target(branch.then) for branch in verb.branches))
        case Send():
            return node(
                values=(_values(verb.data),),
                ports={reason: target(to) for reason, to in verb.branches},
                path=_value(*_paths(verb.at)),
                plain=not verb.agents and verb.track is None and verb.links is None,
            )
        case Promote():
            return node(conditions=(compile_condition(verb.while_) if verb.while_ else None,))
        case CallWebhook():
            return node(values=(_values(verb.data),))
        case CallApi():
            ways = {"error": verb.error, "timeout": verb.timeout_then}
            named = {port: target(to) for port, to in ways.items() if to is not None}
            return node(values=(_values(verb.data),), ports=named)
        case RunCode():
            named = {"error": target(verb.error)} if verb.error is not None else {}
            return node(values=(_values(verb.inputs),), ports=named)
        case ExportFields():
            return node(values=(_values(verb.fields),))
        case Update():
            return node(values=(_values(verb.set), _values(verb.increment), _values(verb.append)))
        case EmitEvent():
            return node(values=(_values(verb.properties),))
        case Enroll():
            return node(values=(_values(verb.data),))
        case Wait() | WaitWindow() | ChangeAudience() | Leave() | CancelAll() | End():
            return node()
        case _:
            assert_never(verb)


def _awaited(case: Case) -> EventMatch | None:
    """Return what a case holds a signal against: an event, or the results of a message."""
    match case:
        case CaseEvent(match=found):
            return found
        case CaseStatus(where=where) if where is not None:
            return EventMatch("", where)
        case _:
            return None


def _paths(moment: Moment | None) -> list[Expr]:
    """Return the expression of the date that a moment counts from, if it has one."""
    return [parse(moment.path)] if moment is not None and moment.path else []


def _value(expr: Expr | None = None) -> Callable[[View], Any] | None:
    return compile_value(expr) if expr is not None else None


def _hears(node: CompiledStep) -> bool:
    return isinstance(node.verb, WaitFor) and bool(node.inbound_matchers)


def _start(trigger: Trigger, number: int, flow: Flow) -> CompiledTrigger:
    reenter, kind = trigger.reenter or flow.reenter, str(trigger.__struct_config__.tag)
    match trigger:
        case OnEvent(match=match):
            found = matcher_of(match)
            read = merge_reads(e for e in (match.where,) if e)
            return CompiledTrigger(
                trigger,
                number,
                reenter,
                kind,
                (found,),
                events=frozenset([match.event]),
                reads=read,
            )
        case OnCombination(parts=parts):
            read = merge_reads(part.where for part in parts if part.where)
            events = frozenset(part.event for part in parts)
            matchers = tuple(matcher_of(part) for part in parts)
            return CompiledTrigger(
                trigger, number, reenter, kind, matchers, events=events, reads=read
            )
        case OnProfile():
            return CompiledTrigger(
                trigger,
                number,
                reenter,
                kind,
                where=_test(trigger.where),
                before=_value(trigger.before),
                after=_value(trigger.after),
                reads=merge_reads(e for e in (trigger.where, trigger.before, trigger.after) if e),
            )
        case OnDate():
            paths = _paths(trigger.moment)
            read = merge_reads(iter([*paths, *([trigger.where] if trigger.where else [])]))
            where, path = _test(trigger.where), _value(*paths)
            return CompiledTrigger(
                trigger, number, reenter, kind, where=where, path=path, reads=read
            )
        case OnEnter() | OnFlow() | OnCommunication() | OnParticipant():
            read = merge_reads(e for e in (trigger.where,) if e)
            return CompiledTrigger(
                trigger, number, reenter, kind, where=_test(trigger.where), reads=read
            )
        case OnInbound() | OnCall() | OnIncoming():
            read = merge_reads(e for e in (trigger.where,) if e)
            return CompiledTrigger(
                trigger, number, reenter, kind, reads=read, inbound=inbound_matcher(trigger)
            )
        case OnAudience() | OnSchedule() | OnTag() | OnPeople():
            return CompiledTrigger(trigger, number, reenter, kind)
        case _:
            assert_never(trigger)


def _test(expr: Expr | None) -> Callable[[View], bool] | None:
    return compile_condition(expr).test if expr is not None else None


def _history(flow: Flow) -> int | None:
    """Return how long entries are to be remembered: as long as the longest limit (section 9)."""
    longest_needed = 0
    for reenter in (flow.reenter, *(t.reenter for t in flow.enter if t.reenter)):
        if not reenter.allowed:
            return None
        if reenter.after:
            longest_needed = max(longest_needed, longest(reenter.after))
        for limit in reenter.limits:
            longest_needed = max(longest_needed, longest_period(limit.per))
    return longest_needed


def compile_goals(goals: Iterable[Goal]) -> GoalSet:
    """Compile goals (R24)."""
    goals = tuple(goals)
    read = merge_reads(e for goal in goals for e in (goal.match.where, goal.value) if e)
    return GoalSet(
        tuple(CompiledGoal(goal, matcher_of(goal.match), _value(goal.value)) for goal in goals),
        read.entry_fields,
        read.variables,
        max((longest(goal.within) for goal in goals), default=0),
        frozenset(goal.match.event for goal in goals),
        tuple(read.aggregates),
        visits_in(read),
    )


def compile_flow(
    flow: Flow,
    number: int,
    version: int,
    numbers: Mapping[str, int],
    templates: Mapping[str, Template],
) -> Plan:
    """Compile a checked flow; ``numbers`` maps its step names to their permanent numbers."""
    nodes = [_node(step, "", numbers) for step in flow.steps]
    nodes += [_node(step, ON_EXIT, numbers) for step in flow.on_exit]
    starts = tuple(_start(trigger, i, flow) for i, trigger in enumerate(flow.enter))
    exit_events = [rule.match for rule in flow.exit if isinstance(rule, ExitEvent)]
    exit_whens = [rule.when for rule in flow.exit if isinstance(rule, ExitWhen)]
    goal_exprs = [e for goal in flow.goals for e in (goal.match.where, goal.value) if e]
    goal_reads = merge_reads(iter(goal_exprs))
    other = [*exit_whens, *(m.where for m in exit_events if m.where)]
    others = merge_reads(iter([*other, *([flow.key] if flow.key else [])]))
    every = [goal_reads, others, *(n.reads for n in nodes), *(s.reads for s in starts)]
    events = {m.event for m in exit_events} | {goal.match.event for goal in flow.goals}
    for found in (*(s.events for s in starts), *(n.awaited for n in nodes)):
        events |= found
    exit_conditions = tuple(compile_condition(when) for when in exit_whens)
    inner = [goal_reads, others, *(n.reads for n in nodes)]
    return Plan(
        flow=flow,
        id=flow.id,
        zone=flow.zone,
        number=number,
        version=version,
        steps={node.number: node for node in nodes},
        step_numbers=dict(numbers),
        first=numbers[flow.steps[0].name],
        on_exit=numbers[ON_EXIT + flow.on_exit[0].name] if flow.on_exit else END,
        triggers=starts,
        exit_matchers=tuple(matcher_of(m) for m in exit_events),
        exit_conditions=exit_conditions,
        exit_timed=tuple(condition for condition in exit_conditions if condition.timed),
        exit_audiences=frozenset(r.audience for r in flow.exit if isinstance(r, ExitAudience)),
        goal_set=compile_goals(flow.goals),
        key=_value(flow.key),
        templates=dict(templates),
        entry_fields=frozenset().union(template_reads(templates), *(r.entry_fields for r in inner)),
        history=_history(flow),
        events=frozenset(events),
        aggregates=tuple(dict.fromkeys(a for r in every for a in r.aggregates)),
        reads_communications=any(r.communications or r.communication for r in inner),
        reads_last=any(r.communication for r in inner),
        awaited_sends=asked(flow, numbers, inner),
        has_state_readers=watches(flow, exit_whens),
        reads_inbound=any(s.inbound for s in starts) or any(_hears(n) for n in nodes),
        reads_visits=visits(flow, every),
        campaign=flow.campaign,
    )
