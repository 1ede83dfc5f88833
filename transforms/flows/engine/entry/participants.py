"""Participant triggers: created participants and changed fields start sessions (C7, C8).

A flow does not start by a change that its own entry or step made; the campaign's other flows do.
"""

from __future__ import annotations

from transforms.flows.catalog.epochs import FlowView
from transforms.flows.definitions.triggers.participants import OnParticipant
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.entry.decision import try_enter
from transforms.flows.engine.profile.participants import CREATED, field_key
from transforms.flows.protocol.signals import Enter


def enter_by_participant(ctx: Context, signal: Enter, changed: Data, source: str) -> None:
    """Enter a created or changed participant into flows of its campaign, each by one trigger.

    ``source`` is the flow that changed it, which is skipped.
    """
    for view in ctx.epoch.by_participant:
        if view.plan.campaign == signal.flow and view.plan.id != source:
            _enter(ctx, view, signal, changed)


def _enter(ctx: Context, view: FlowView, signal: Enter, changed: Data) -> None:
    for compiled in view.plan.triggers:
        trigger = compiled.trigger
        if not isinstance(trigger, OnParticipant) or not _is_for(trigger, signal, changed):
            continue
        scope = ctx.view_for(view.plan)
        scope.entry = signal.data
        if compiled.where is None or compiled.where(scope):
            try_enter(ctx, view, compiled, signal.id, signal.data, key=signal.key)
            return


def _is_for(trigger: OnParticipant, signal: Enter, changed: Data) -> bool:
    if trigger.when == "created":
        return CREATED in changed or (trigger.always and signal.operation == "upload")
    if CREATED in changed or not changed:
        return False
    return trigger.field is None or field_key(trigger.field) in changed
