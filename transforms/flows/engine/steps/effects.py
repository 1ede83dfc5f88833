"""What steps do to the world: promotions, webhooks, exports, updates, events.

In a silent session every effect is withheld with the reason ``holdout`` (R19). What is told to
the outside has the id of the signal raised inside, so that its echo changes nothing (R5).
"""

from __future__ import annotations

from typing import Any, Final

from transforms.flows.catalog.compiled import ON_EXIT
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


def withheld(ctx: Context, session: Session) -> bool:
    """Tell whether the session is silent, and say so."""
    node = session.node
    if session.silent:
        ctx.emit_rejection("holdout", session.plan.id, step=node.name)
    return session.silent


def _stays(ctx: Context, session: Session) -> bool:
    """Tell whether what would leave does not, for the holdout or the kill switch; and say so."""
    node = session.node
    plan = session.plan
    if withheld(ctx, session):
        return True
    killed = bool(ctx.epoch.kill_switches) and ctx.epoch.killed(plan.number, None)
    if killed:
        ctx.emit_rejection("killed", plan.id, step=node.name)
    return killed


def promote(ctx: Context, session: Session, verb: Promote) -> None:
    """Show a promotion in its slot from now on (J6)."""
    node = session.node
    if withheld(ctx, session):
        return
    view = ctx.view_of(session)
    condition = node.conditions[0]
    if condition is not None and not condition.test(view):
        return
    until = after(verb.lasts, ctx.now, view.zone) if verb.lasts else None
    check = condition.next_change(view) if condition is not None and condition.timed else None
    rest = [p for p in session.promotions if p.slot != verb.slot]
    session.promotions = [*rest, Promotion(node.number, verb.slot, verb.promotion, until, check)]
    ctx.flow_state_changed = True


def end_promotions(ctx: Context, session: Session) -> None:
    """Take away the promotions that are over, or whose condition no longer holds."""
    if not session.promotions:
        return
    view = ctx.view_of(session)
    kept = []
    for shown in session.promotions:
        condition = session.plan.steps[shown.step].conditions[0]
        if shown.until is not None and shown.until <= ctx.now:
            continue
        if condition is not None and not condition.test(view):
            continue
        shown.recheck_at = condition.next_change(view) if condition and condition.timed else None
        kept.append(shown)
    if len(kept) < len(session.promotions):
        session.promotions, ctx.flow_state_changed = kept, True


def webhook(ctx: Context, session: Session, verb: CallWebhook) -> None:
    """Send a request (J9)."""
    node = session.node
    plan = session.plan
    if _stays(ctx, session):
        return
    template = plan.templates.get(verb.template) if verb.template else None
    data = values_of(node.values[0], ctx.view_of(session))
    ctx.outputs.append(
        out.Webhook(
            id=ctx.next_session_output_id(session),
            user=ctx.user,
            at=ctx.now,
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
            data=with_template(ctx, session, template, data),
        )
    )


def with_template(ctx: Context, session: Session, template: Template | None, data: Data) -> Data:
    """Add what a body's template reads to the named data."""
    plan = session.plan
    if template is None:
        return data
    roots = captured(plan, session, template, data)
    add_user(ctx, plan, template, roots)
    return roots


def export(ctx: Context, session: Session, verb: ExportFields) -> None:
    """Export chosen fields (L4, L10)."""
    node = session.node
    plan = session.plan
    if _stays(ctx, session):
        return
    ctx.outputs.append(
        out.Export(
            id=ctx.next_session_output_id(session),
            user=ctx.user,
            at=ctx.now,
            flow=plan.id,
            version=plan.version,
            session=session.id,
            step=node.name,
            destination=verb.destination,
            fields=values_of(node.values[0], ctx.view_of(session)),
            on_exit=node.name.startswith(ON_EXIT),
        )
    )


def do_update(ctx: Context, session: Session, verb: Update) -> None:
    """Change traits, tags, participant fields and variables; the next step sees it (C17)."""
    node = session.node
    view = ctx.view_of(session)
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
        _set_variables(ctx, session, verb, variables)
    traits = {n.removeprefix("user."): v for n, v in setting.items() if n.startswith("user.")}
    unset = tuple(n.removeprefix("user.") for n in verb.unset if n.startswith("user."))
    fields = {n.removeprefix(FIELD): v for n, v in setting.items() if n.startswith(FIELD)}
    gone = tuple(n.removeprefix(FIELD) for n in verb.unset if n.startswith(FIELD))
    profile = bool(traits or unset or verb.tag or verb.untag)
    if not (profile or fields or gone) or withheld(ctx, session):
        return
    if profile:
        _update_profile(ctx, session, verb, traits, unset)
    if fields or gone:
        update_fields(ctx, session, fields, gone)


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


def _set_variables(ctx: Context, session: Session, verb: Update, variables: Data) -> None:
    joined = session.variables | variables
    for name in verb.unset:
        if name.startswith("session."):
            joined.pop(name.removeprefix("session."), None)
    size = encoded_size(joined)
    if size > VARIABLES_BOUND or not fits(ctx.state, size - encoded_size(session.variables)):
        ctx.emit_rejection("value_too_large", session.plan.id, "session variables")
        return
    session.variables = joined
    ctx.invalidate_view()


def _update_profile(
    ctx: Context,
    session: Session,
    verb: Update,
    traits: Data,
    unset: tuple[str, ...],
) -> None:
    node = session.node
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
            step=node.name,
        )
    )
    recompute(ctx, ctx.epoch.audiences)
    ctx.enqueue(change, changed)


def emit(ctx: Context, session: Session, verb: EmitEvent) -> None:
    """Raise an event of the product's own, and tell other systems."""
    node = session.node
    if withheld(ctx, session):
        return
    properties = values_of(node.values[0], ctx.view_of(session))
    event = Event(
        id=ctx.next_session_output_id(session),
        user=ctx.user,
        time=ctx.now,
        name=verb.event,
        properties=properties,
    )
    ctx.outputs.append(
        out.Emitted(
            id=event.id,
            user=ctx.user,
            at=ctx.now,
            name=verb.event,
            properties=properties,
            flow=session.plan.id,
            step=node.name,
        )
    )
    ctx.enqueue(event, applied=False)
