"""What steps do to the world: promotions, webhooks, exports, updates, events.

In a silent session every effect is withheld with the reason ``holdout`` (R19). What is told to
the outside has the id of the signal raised inside, so that its echo changes nothing (R5).
"""

from __future__ import annotations

from typing import Any, Final

from transforms.flows.catalog.compiled import ON_EXIT, CompiledStep, Plan
from transforms.flows.clock.elapsing import after
from transforms.flows.definitions.space import Template
from transforms.flows.definitions.steps.calls import CallWebhook, ExportFields
from transforms.flows.definitions.steps.sends import Promote
from transforms.flows.definitions.steps.updates import EmitEvent, Update
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.limits import fits
from transforms.flows.engine.messages.template_data import add_user, captured, values_of
from transforms.flows.engine.profile.audiences import change_profile, recompute
from transforms.flows.engine.profile.participants import update_fields
from transforms.flows.engine.working import Session
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import Event, ProfileChange
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.limits import LARGEST
from transforms.flows.state.stored import Promotion

VARIABLES_BOUND: Final = 32 * 1024
FIELD: Final = "participant."


def withheld(ctx: Context, plan: Plan, session: Session, node: CompiledStep, t: int) -> bool:
    """Tell whether the session is silent, and say so."""
    if session.silent:
        ctx.emit_rejection("holdout", t, plan.id, step=node.name)
    return session.silent


def _stays(ctx: Context, plan: Plan, session: Session, node: CompiledStep, t: int) -> bool:
    """Tell whether what would leave does not, for the holdout or the kill switch; and say so."""
    if withheld(ctx, plan, session, node, t):
        return True
    killed = bool(ctx.epoch.kill_switches) and ctx.epoch.killed(plan.number, None)
    if killed:
        ctx.emit_rejection("killed", t, plan.id, step=node.name)
    return killed


def promote(
    ctx: Context, plan: Plan, session: Session, node: CompiledStep, verb: Promote, t: int
) -> None:
    """Show a promotion in its slot from now on (J6)."""
    if withheld(ctx, plan, session, node, t):
        return
    view = ctx.view_for(t, plan, session)
    condition = node.conditions[0]
    if condition is not None and not condition.test(view):
        return
    until = after(verb.lasts, t, view.zone) if verb.lasts else None
    check = condition.next_change(view) if condition is not None and condition.timed else None
    rest = [p for p in session.promotions if p.slot != verb.slot]
    session.promotions = [*rest, Promotion(node.number, verb.slot, verb.promotion, until, check)]
    ctx.flow_state_changed = True


def end_promotions(ctx: Context, plan: Plan, session: Session, t: int) -> None:
    """Take away the promotions that are over, or whose condition no longer holds."""
    if not session.promotions:
        return
    view = ctx.view_for(t, plan, session)
    kept = []
    for shown in session.promotions:
        condition = plan.steps[shown.step].conditions[0]
        if shown.until is not None and shown.until <= t:
            continue
        if condition is not None and not condition.test(view):
            continue
        shown.recheck_at = condition.next_change(view) if condition and condition.timed else None
        kept.append(shown)
    if len(kept) < len(session.promotions):
        session.promotions, ctx.flow_state_changed = kept, True


def webhook(
    ctx: Context, plan: Plan, session: Session, node: CompiledStep, verb: CallWebhook, t: int
) -> None:
    """Send a request (J9)."""
    if _stays(ctx, plan, session, node, t):
        return
    template = plan.templates.get(verb.template) if verb.template else None
    data = values_of(node.values[0], ctx.view_for(t, plan, session))
    ctx.outputs.append(
        out.Webhook(
            id=ctx.next_session_output_id(session),
            user=ctx.user,
            at=t,
            flow=plan.id,
            version=plan.version,
            session=session.id,
            step=node.name,
            url=verb.url,
            method=verb.method,
            connection=verb.connection,
            headers=dict(verb.headers),
            template=verb.template,
            template_version=template.version if template is not None else None,
            data=with_template(ctx, plan, session, template, data),
        )
    )


def with_template(
    ctx: Context, plan: Plan, session: Session, template: Template | None, data: Data
) -> Data:
    """Add what a body's template reads to the named data."""
    if template is None:
        return data
    roots = captured(plan, session, template, data)
    add_user(ctx, plan, template, roots)
    return roots


def export(
    ctx: Context, plan: Plan, session: Session, node: CompiledStep, verb: ExportFields, t: int
) -> None:
    """Export chosen fields (L4, L10)."""
    if _stays(ctx, plan, session, node, t):
        return
    ctx.outputs.append(
        out.Export(
            id=ctx.next_session_output_id(session),
            user=ctx.user,
            at=t,
            flow=plan.id,
            version=plan.version,
            session=session.id,
            step=node.name,
            destination=verb.destination,
            fields=values_of(node.values[0], ctx.view_for(t, plan, session)),
            on_exit=node.name.startswith(ON_EXIT),
        )
    )


def do_update(
    ctx: Context, plan: Plan, session: Session, node: CompiledStep, verb: Update, t: int
) -> None:
    """Change traits, tags, participant fields and variables; the next step sees it (C17)."""
    view = ctx.view_for(t, plan, session)
    setting = values_of(node.values[0], view)
    for name, amount in values_of(node.values[1], view).items():
        if _is_number(amount):
            setting[name] = _plus(_current(ctx, session, name), amount)
        else:
            view.mismatches += 1
    for name, item in values_of(node.values[2], view).items():
        before = _current(ctx, session, name)
        setting[name] = [*before, item] if isinstance(before, list) else [item]
    variables = {
        n.removeprefix("session."): v for n, v in setting.items() if n.startswith("session.")
    }
    if variables or any(n.startswith("session.") for n in verb.unset):
        _set_variables(ctx, plan, session, verb, variables, t)
    traits = {n.removeprefix("user."): v for n, v in setting.items() if n.startswith("user.")}
    unset = tuple(n.removeprefix("user.") for n in verb.unset if n.startswith("user."))
    fields = {n.removeprefix(FIELD): v for n, v in setting.items() if n.startswith(FIELD)}
    gone = tuple(n.removeprefix(FIELD) for n in verb.unset if n.startswith(FIELD))
    profile = bool(traits or unset or verb.tag or verb.untag)
    if not (profile or fields or gone) or withheld(ctx, plan, session, node, t):
        return
    if profile:
        _update_profile(ctx, plan, session, node, verb, traits, unset, t)
    if fields or gone:
        update_fields(ctx, plan, session, node, fields, gone, t)


def _current(ctx: Context, session: Session, name: str) -> Any:
    if name.startswith("session."):
        return session.variables.get(name.removeprefix("session."))
    if name.startswith(FIELD):
        return ctx.view.participant.get(name.removeprefix(FIELD))
    return ctx.state.traits.get(name.removeprefix("user."))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plus(before: Any, amount: Any) -> Any:
    """Add up; whole numbers stop at what 64 bits hold."""
    total = before + amount if _is_number(before) else amount
    return max(-LARGEST, min(LARGEST, total)) if isinstance(total, int) else total


def _set_variables(
    ctx: Context, plan: Plan, session: Session, verb: Update, variables: Data, t: int
) -> None:
    joined = session.variables | variables
    for name in verb.unset:
        if name.startswith("session."):
            joined.pop(name.removeprefix("session."), None)
    size = encoded_size(joined)
    if size > VARIABLES_BOUND or not fits(ctx.state, size - encoded_size(session.variables)):
        ctx.emit_rejection("value_too_large", t, plan.id, "session variables")
        return
    session.variables = joined
    ctx.invalidate_view()


def _update_profile(
    ctx: Context,
    plan: Plan,
    session: Session,
    node: CompiledStep,
    verb: Update,
    traits: Data,
    unset: tuple[str, ...],
    t: int,
) -> None:
    change = ProfileChange(
        id=ctx.next_session_output_id(session),
        user=ctx.user,
        time=t,
        set=traits,
        unset=unset,
        tag=verb.tag,
        untag=verb.untag,
    )
    changed = change_profile(ctx, change, t)
    if changed is None:
        return
    ctx.outputs.append(
        out.ProfileUpdate(
            id=change.id,
            user=ctx.user,
            at=t,
            set=traits,
            unset=unset,
            tag=verb.tag,
            untag=verb.untag,
            flow=plan.id,
            step=node.name,
        )
    )
    recompute(ctx, t, ctx.epoch.audiences)
    ctx.enqueue(change, changed)


def emit(
    ctx: Context, plan: Plan, session: Session, node: CompiledStep, verb: EmitEvent, t: int
) -> None:
    """Raise an event of the product's own, and tell other systems."""
    if withheld(ctx, plan, session, node, t):
        return
    properties = values_of(node.values[0], ctx.view_for(t, plan, session))
    event = Event(
        id=ctx.next_session_output_id(session),
        user=ctx.user,
        time=t,
        name=verb.event,
        properties=properties,
    )
    ctx.outputs.append(
        out.Emitted(
            id=event.id,
            user=ctx.user,
            at=t,
            name=verb.event,
            properties=properties,
            flow=plan.id,
            step=node.name,
        )
    )
    ctx.enqueue(event, applied=False)
