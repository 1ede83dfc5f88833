"""Compiles a checked flow into its plan, once per published version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from transforms.flows.catalog.compile_parts import compile_step, compile_trigger
from transforms.flows.catalog.compiled import (
    END,
    ON_EXIT,
    CompiledGoal,
    CompiledStep,
    GoalSet,
    Plan,
)
from transforms.flows.catalog.matchers import compiled_value, matcher_of
from transforms.flows.catalog.reads import (
    asked,
    merge_reads,
    template_reads,
    visits,
    visits_in,
    watches,
)
from transforms.flows.clock.delays import longest, longest_period
from transforms.flows.definitions.flow import (
    ExitAudience,
    ExitEvent,
    ExitWhen,
    Flow,
    Goal,
    GoalAudience,
    GoalEvent,
    GoalWhen,
    goal_expressions,
)
from transforms.flows.definitions.ports import kind_of_step
from transforms.flows.definitions.space import Template
from transforms.flows.expressions.evaluation.compile import compile_condition
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.expressions.syntax.parse import parse


def _history(flow: Flow) -> int | None:
    """Return for how long entries must be remembered: as long as the longest limit."""
    longest_needed = 0
    for reenter in (flow.reenter, *(t.reenter for t in flow.enter if t.reenter)):
        if not reenter.allowed:
            return None
        if reenter.after:
            longest_needed = max(longest_needed, longest(reenter.after))
        for limit in reenter.limits:
            longest_needed = max(longest_needed, longest_period(limit.per))
    return longest_needed


def _listens(step: CompiledStep) -> bool:
    """Return whether a session in a step takes what its user sends."""
    return kind_of_step(step.verb).waits and bool(step.inbound_matchers)


def compile_goals(goals: Iterable[Goal]) -> GoalSet:
    """Compile goals (R24)."""
    goals = tuple(goals)
    read = merge_reads(expr for goal in goals for expr in goal_expressions(goal))
    compiled = tuple(_goal(goal) for goal in goals)
    states = tuple(goal for goal in compiled if goal.condition is not None)
    return GoalSet(
        compiled,
        read.entry_fields,
        read.variables,
        max((longest(goal.within) for goal in goals), default=0),
        frozenset(goal.matcher.event for goal in compiled if goal.matcher is not None),
        tuple(read.aggregates),
        visits_in(read),
        states,
        any(goal.condition is not None and goal.condition.timed for goal in states),
    )


def _goal(goal: Goal) -> CompiledGoal:
    value = compiled_value(goal.value)
    match goal:
        case GoalEvent(match=match):
            return CompiledGoal(goal, matcher_of(match), value)
        case GoalWhen(when=when):
            return CompiledGoal(goal, None, value, compile_condition(when))
        case GoalAudience(audience=audience):
            return CompiledGoal(goal, None, value, compile_condition(_member(audience)))
        case _:
            assert_never(goal)


def _member(audience: str) -> Expr:
    return parse(f"audience.{audience}")


def compile_flow(
    flow: Flow,
    number: int,
    version: int,
    numbers: Mapping[str, int],
    templates: Mapping[str, Template],
) -> Plan:
    """Compile a checked flow; ``numbers`` maps its step names to their permanent numbers."""
    nodes = [compile_step(step, "", numbers) for step in flow.steps]
    nodes += [compile_step(step, ON_EXIT, numbers) for step in flow.on_exit]
    starts = tuple(
        compile_trigger(trigger, i, flow.reenter) for i, trigger in enumerate(flow.enter)
    )
    exit_events = [rule.match for rule in flow.exit if isinstance(rule, ExitEvent)]
    exit_whens = [rule.when for rule in flow.exit if isinstance(rule, ExitWhen)]
    own: list[Expr | None] = [expr for goal in flow.goals for expr in goal_expressions(goal)]
    own += [*exit_whens, *(match.where for match in exit_events), flow.key]
    inner = [merge_reads(e for e in own if e), *(n.reads for n in nodes)]
    every = [*inner, *(s.reads for s in starts)]
    exit_conditions = tuple(compile_condition(when) for when in exit_whens)
    goal_set = compile_goals(flow.goals)
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
        goal_set=goal_set,
        key=compiled_value(flow.key),
        templates=dict(templates),
        entry_fields=frozenset().union(template_reads(templates), *(r.entry_fields for r in inner)),
        history=_history(flow),
        events=frozenset(match.event for match in exit_events).union(
            goal_set.events, *(s.events for s in starts), *(n.awaited for n in nodes)
        ),
        aggregates=tuple(dict.fromkeys(a for r in every for a in r.aggregates)),
        reads_communications=any(r.communications or r.communication for r in inner),
        reads_last=any(r.communication for r in inner),
        awaited_sends=asked(flow, numbers, inner),
        has_state_readers=watches(flow, exit_whens),
        reads_inbound=any(s.inbound for s in starts) or any(map(_listens, nodes)),
        reads_visits=visits(flow, every),
        campaign=flow.campaign,
    )
