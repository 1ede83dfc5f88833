"""Steps that change the user's data: traits, tags, variables, audiences, events.

An output and the signal that the core raises for the same change have the same id. So if another
system sends the change back, it is a duplicate and is ignored (R5).
"""

from __future__ import annotations

from typing import Any, Final

from transforms.flows.definitions.steps.updates import ChangeAudience, EmitEvent, Update
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.messages.template_data import values_of
from transforms.flows.engine.profile.audiences import (
    change_profile,
    emit_membership,
    recompute,
    set_member,
)
from transforms.flows.engine.profile.participants import update_fields
from transforms.flows.engine.steps.effects import set_variables, withheld
from transforms.flows.engine.steps.logic import StepLogic
from transforms.flows.engine.working import Session
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import Event, ProfileChange
from transforms.flows.state.limits import LARGEST

SESSION: Final = "session."
USER: Final = "user."
FIELD: Final = "participant."


class UpdateLogic(StepLogic):
    """Change traits, tags, participant fields and variables, before the next step (C17)."""

    def begin(self, ctx: Context, session: Session) -> int:
        node = session.node
        verb = node.verb
        assert isinstance(verb, Update)
        values = _new_values(ctx, session)
        variables = _of(SESSION, values)
        if variables or any(name.startswith(SESSION) for name in verb.unset):
            _change_variables(ctx, session, verb, variables)
        traits, fields = _of(USER, values), _of(FIELD, values)
        unset = tuple(n.removeprefix(USER) for n in verb.unset if n.startswith(USER))
        gone = tuple(n.removeprefix(FIELD) for n in verb.unset if n.startswith(FIELD))
        profile = bool(traits or unset or verb.tag or verb.untag)
        if not (profile or fields or gone) or withheld(ctx, session):
            return node.then
        if profile:
            _change_profile(ctx, session, verb, traits, unset)
        if fields or gone:
            update_fields(ctx, session, fields, gone)
        return node.then


class ChangeAudienceLogic(StepLogic):
    """Add the user to a static audience, or remove them (J7)."""

    def begin(self, ctx: Context, session: Session) -> int:
        node = session.node
        verb = node.verb
        assert isinstance(verb, ChangeAudience)
        if not withheld(ctx, session) and set_member(ctx, verb.audience, verb.add):
            emit_membership(ctx, verb.audience, verb.add, session.plan.id, node.name)
        return node.then


class EmitLogic(StepLogic):
    """Emit an event, for flows and for other systems."""

    def begin(self, ctx: Context, session: Session) -> int:
        node = session.node
        verb = node.verb
        assert isinstance(verb, EmitEvent)
        if withheld(ctx, session):
            return node.then
        properties = values_of(node.values[0], ctx.view_of(session))
        name = ctx.next_session_output_id(session)
        event = Event(id=name, user=ctx.user, time=ctx.now, name=verb.event, properties=properties)
        ctx.outputs.append(
            out.Emitted(
                id=name,
                user=ctx.user,
                at=ctx.now,
                name=verb.event,
                properties=properties,
                flow=session.plan.id,
                step=node.name,
            )
        )
        ctx.enqueue(event, applied=False)
        return node.then


def _new_values(ctx: Context, session: Session) -> Data:
    """Evaluate what an update sets, increments and appends; return the values by target."""
    view, (setting, increments, appended) = ctx.view_of(session), session.node.values
    values = values_of(setting, view)
    for name, amount in values_of(increments, view).items():
        if _is_number(amount):
            values[name] = _plus(_current(ctx, session, name), amount)
        else:
            view.mismatches += 1
    for name, item in values_of(appended, view).items():
        before = _current(ctx, session, name)
        values[name] = [*before, item] if isinstance(before, list) else [item]
    return values


def _of(root: str, values: Data) -> Data:
    return {n.removeprefix(root): v for n, v in values.items() if n.startswith(root)}


def _current(ctx: Context, session: Session, name: str) -> Any:
    if name.startswith(SESSION):
        return session.variables.get(name.removeprefix(SESSION))
    if name.startswith(FIELD):
        return ctx.view.participant.get(name.removeprefix(FIELD))
    return ctx.state.traits.get(name.removeprefix(USER))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plus(before: Any, amount: Any) -> Any:
    """Add two numbers; whole numbers are limited to 64 bits."""
    total = before + amount if _is_number(before) else amount
    return max(-LARGEST, min(LARGEST, total)) if isinstance(total, int) else total


def _change_variables(ctx: Context, session: Session, verb: Update, variables: Data) -> None:
    joined = session.variables | variables
    for name in verb.unset:
        if name.startswith(SESSION):
            joined.pop(name.removeprefix(SESSION), None)
    if not set_variables(ctx, session, joined):
        ctx.emit_rejection("value_too_large", session.plan.id, "session variables")


def _change_profile(
    ctx: Context, session: Session, verb: Update, traits: Data, unset: tuple[str, ...]
) -> None:
    change = ProfileChange(
        id=ctx.next_session_output_id(session),
        user=ctx.user,
        time=ctx.now,
        set=traits,
        unset=unset,
        tag=verb.tag,
        untag=verb.untag,
    )
    changed = change_profile(ctx, change)
    if changed is None:
        return
    ctx.outputs.append(
        out.ProfileUpdate(
            id=change.id,
            user=ctx.user,
            at=ctx.now,
            set=traits,
            unset=unset,
            tag=verb.tag,
            untag=verb.untag,
            flow=session.plan.id,
            step=session.node.name,
        )
    )
    recompute(ctx, ctx.epoch.audiences)
    ctx.enqueue(change, changed)


LOGIC: Final[dict[type, StepLogic]] = {
    Update: UpdateLogic(),
    ChangeAudience: ChangeAudienceLogic(),
    EmitEvent: EmitLogic(),
}
