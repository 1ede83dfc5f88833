"""Matches signals to triggers, which start sessions (R19).

A trigger that matches but is refused is not tried again later (I16).
"""

from __future__ import annotations

from typing import Any

from transforms.flows.catalog.compiled import CompiledTrigger
from transforms.flows.catalog.epochs import FlowView
from transforms.flows.clock.delays import after
from transforms.flows.definitions.triggers.audiences import OnTag
from transforms.flows.definitions.triggers.events import OnCombination
from transforms.flows.definitions.triggers.messages import OnCommunication
from transforms.flows.definitions.triggers.profile import OnProfile
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.entry.combinations import combine
from transforms.flows.engine.entry.decision import try_enter
from transforms.flows.engine.entry.launches import (
    accepts,
    is_member,
    launch_id,
    note_launch,
    refusal,
)
from transforms.flows.engine.entry.pending import set_pending, still_held
from transforms.flows.engine.profile.audiences import tag_key
from transforms.flows.protocol.signals import (
    AudienceChange,
    CommunicationUpdate,
    Enter,
    Event,
    ProfileChange,
    Signal,
)
from transforms.flows.state.stored import Pending


def enter_by(ctx: Context, signal: Signal, changed: Data, source: str = "") -> None:
    """Start sessions for one signal, in flows ordered by priority, then id.

    ``source`` is the flow that enrolls the user in another.
    """
    match signal:
        case Event(name=name):
            for view in ctx.epoch.by_event.get(name, ()):
                _by_event(ctx, view, signal)
        case AudienceChange(audience=audience, entered=entered):
            for view, compiled in ctx.epoch.by_audience.get((audience, entered), ()):
                try_enter(ctx, view, compiled, signal.id, {})
        case ProfileChange():
            if changed:
                for view in ctx.epoch.by_trait:
                    _by_profile(ctx, view, changed, signal.id)
        case Enter():
            _by_enter(ctx, signal, source)
        case CommunicationUpdate():
            for view in ctx.epoch.by_communication:
                _by_communication(ctx, view, signal.id)
        case _:
            pass


def _by_event(ctx: Context, view: FlowView, event: Event) -> None:
    entered = False
    for compiled in view.plan.triggers:
        if event.name not in compiled.events:
            continue
        trigger = compiled.trigger
        if type(trigger) is OnCombination:
            complete = combine(ctx, view, compiled, trigger, event)
            for key in () if entered else complete:
                try_enter(ctx, view, compiled, event.id, event.properties, key=key)
            entered = entered or bool(complete)
        elif not entered and compiled.matchers[0].test(ctx.view_for(view.plan)):
            try_enter(ctx, view, compiled, event.id, event.properties)
            entered = True


def _by_profile(ctx: Context, view: FlowView, changed: Data, cause: str) -> None:
    entered = False
    for compiled in view.plan.triggers:
        trigger = compiled.trigger
        if isinstance(trigger, OnTag):
            before, later = changed.get(tag_key(trigger.tag)), trigger.when != "launch"
            if before is (trigger.when == "removed") and later and not entered:
                try_enter(ctx, view, compiled, cause, {})
                entered = True
            continue
        if not isinstance(trigger, OnProfile) or trigger.trait not in changed:
            continue
        matches = _change_matches(ctx, view, compiled, trigger, changed[trigger.trait])
        if trigger.held is not None:
            pending = None
            if matches:
                due = after(trigger.held, ctx.now, ctx.zone_of(view.plan))
                pending = Pending(view.plan.number, compiled.number, [], due, cause)
            set_pending(ctx, pending, view, compiled)
        elif matches and not entered:
            try_enter(ctx, view, compiled, cause, {})
            entered = True


def drop_held(ctx: Context, changed: Data) -> None:
    """Drop held changes of traits that loaded history has changed again (R10)."""
    for view in ctx.epoch.by_trait if changed and ctx.state.pending else ():
        for compiled in view.plan.triggers:
            trigger = compiled.trigger
            if isinstance(trigger, OnProfile) and trigger.trait in changed:
                set_pending(ctx, None, view, compiled)


def _change_matches(
    ctx: Context, view: FlowView, compiled: CompiledTrigger, trigger: OnProfile, before: Any
) -> bool:
    scope = ctx.view_for(view.plan)
    if compiled.before is not None and before != compiled.before(scope):
        return False
    return still_held(ctx, view, compiled, trigger)


def _by_enter(ctx: Context, signal: Enter, source: str) -> None:
    view = ctx.epoch.by_id.get(signal.flow)
    accepting = [s for s in view.plan.triggers if accepts(s, signal, source)] if view else []
    for compiled in accepting:
        if view is not None:
            scope = ctx.view_for(view.plan)
            scope.entry = signal.data
            if compiled.where is None or compiled.where(scope):
                _launched(ctx, view, compiled, signal)
                return
    if not accepting:
        ctx.emit_rejection("unknown_flow", signal.flow)


def _by_communication(ctx: Context, view: FlowView, cause: str) -> None:
    """Enter by the first trigger that matches the handled status, with its facts as entry data."""
    status_facts = ctx.handling.status_facts
    for compiled in view.plan.triggers:
        trigger = compiled.trigger
        if not isinstance(trigger, OnCommunication):
            continue
        if trigger.when == "ended" and not status_facts["ended"]:
            continue
        scope = ctx.view_for(view.plan)
        scope.communication = status_facts
        if compiled.where is None or compiled.where(scope):
            try_enter(ctx, view, compiled, cause, status_facts)
            return


def _launched(ctx: Context, view: FlowView, compiled: CompiledTrigger, signal: Enter) -> None:
    reason = refusal(ctx, view.plan, compiled, signal)
    if reason is not None:
        ctx.emit_rejection(reason, signal.flow)
    else:
        try_enter(ctx, view, compiled, signal.id, signal.data, key=signal.key)


def enter_members(ctx: Context, view: FlowView) -> None:
    """At the launch of a flow, enter the user once if in its predefined audience (R22)."""
    for compiled in view.plan.triggers:
        if is_member(ctx, compiled):
            launch = launch_id(ctx.space, view.plan.id, ctx.now)
            reason = note_launch(ctx, view.plan, launch)
            if reason is None:
                try_enter(ctx, view, compiled, launch, {})
            else:
                ctx.emit_rejection(reason, view.plan.id)
            return
