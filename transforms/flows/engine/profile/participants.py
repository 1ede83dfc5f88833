"""Participants: a campaign's own data about a user, apart from the profile (R21, C3).

The first upload or entry creates a participant; uploads, entries and steps change it. Each change
is written as a row with all fields, and is raised for the flows of the campaign.
"""

from __future__ import annotations

from typing import Any, Final

from transforms.flows.catalog.compiled import Plan
from transforms.flows.clock.zones import instant_of, utc
from transforms.flows.definitions.space import Campaign
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.limits import MOST_PARTICIPANTS, PARTICIPANT_BOUND, fits
from transforms.flows.engine.working import Session
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import Enter
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.stored import Participant

STATUS: Final = "status"
CREATED: Final = "\0created"


def field_key(field: str) -> str:
    """Return the key of a participant field in a dict of changed traits."""
    return f"\0field {field}"


def receive(ctx: Context, signal: Enter) -> Data | None:
    """Apply the participant of an upload or an entry; return what changed, None if refused.

    The campaign's flows see an upload itself. An entry into one flow raises a signal for the
    others.
    """
    if signal.operation == "upload":
        if signal.flow not in ctx.epoch.campaigns:
            ctx.emit_rejection("unknown_campaign", detail=signal.flow)
            return None
        return change(ctx, signal.flow, signal.participant, ctx.next_output_id())
    if signal.operation is not None:
        ctx.emit_rejection("unsupported", detail=signal.operation)
        return None
    view = ctx.epoch.by_id.get(signal.flow)
    campaign = view.plan.campaign if view is not None else None
    if view is not None and campaign is None:
        ctx.emit_rejection("unknown_campaign", signal.flow)
    elif campaign is not None:
        _change_and_tell(ctx, campaign, signal.participant, ctx.next_output_id(), signal.flow)
    return {}


def ensure_participant(ctx: Context, plan: Plan, campaign: str) -> None:
    """Make a user who enters a flow of a campaign a participant of the campaign (C3)."""
    if campaign not in ctx.state.participants:
        _change_and_tell(ctx, campaign, {}, ctx.next_output_id(), plan.id)


def update_fields(
    ctx: Context,
    session: Session,
    given: Data,
    unset: tuple[str, ...],
) -> None:
    """Change the participant by a step, and notify the campaign's other flows (C17, R11)."""
    node = session.node
    plan = session.plan
    if plan.campaign is None:
        return
    gone = dict.fromkeys(unset)
    name = ctx.next_session_output_id(session)
    _change_and_tell(ctx, plan.campaign, gone | given, name, plan.id, node.name)


def _change_and_tell(
    ctx: Context, campaign: str, given: Data, name: str, flow: str, step: str | None = None
) -> None:
    changed = change(ctx, campaign, given, name, flow, step)
    if changed:
        what = "created" if CREATED in changed else "updated"
        data = {key: value for key, value in given.items() if field_key(key) in changed}
        notice = Enter(
            id=name, user=ctx.user, time=ctx.now, flow=campaign, participant=data, operation=what
        )
        ctx.enqueue(notice, changed, flow=flow)


def change(
    ctx: Context,
    campaign: str,
    given: Data,
    name: str,
    flow: str | None = None,
    step: str | None = None,
) -> Data | None:
    """Create a participant or set its fields; None removes a field.

    Return the previous values of changed fields, None if a limit refuses the change. A field that
    the campaign does not accept is refused with its reason; the others are set.
    """
    participants = ctx.state.participants
    declared = ctx.epoch.campaigns.get(campaign)
    fitting = _fitting(ctx, declared, given, flow, step) if declared is not None else given
    found = participants.get(campaign)
    changed: Data = {}
    if found is None:
        changed[CREATED] = None
        if declared is not None and declared.statuses:
            fitting = {STATUS: declared.statuses[0]} | fitting
        if len(participants) >= MOST_PARTICIPANTS:
            ctx.emit_rejection("too_many_participants", flow, campaign, step)
            return None
    before = {} if found is None else found.data
    joined = {key: value for key, value in (before | fitting).items() if value is not None}
    size = encoded_size(joined)
    if size > PARTICIPANT_BOUND or not fits(ctx.state, size - encoded_size(before)):
        ctx.emit_rejection("value_too_large", flow, "participant", step)
        return None
    for key in fitting:
        if _differ(before.get(key), joined.get(key)):
            changed[field_key(key)] = before.get(key)
    if changed:
        participants[campaign] = Participant(
            joined, ctx.now if found is None else found.created, ctx.now
        )
        ctx.invalidate_view()
        _say(ctx, campaign, joined, changed, name, flow if step else None, step)
    return changed


def replace_participant(ctx: Context, campaign: str, found: Participant) -> None:
    """Replace a participant by the merged one; the change is written but starts no flow."""
    known = ctx.state.participants.get(campaign)
    before = {} if known is None else known.data
    changed: Data = {} if known is not None else {CREATED: None}
    for key in before | found.data:
        if _differ(before.get(key), found.data.get(key)):
            changed[field_key(key)] = before.get(key)
    ctx.state.participants[campaign] = found
    if changed:
        _say(ctx, campaign, found.data, changed, ctx.next_output_id(), None, None)


def _differ(one: Any, other: Any) -> bool:
    return type(one) is not type(other) or bool(one != other)


def _say(
    ctx: Context,
    campaign: str,
    data: Data,
    changed: Data,
    name: str,
    flow: str | None,
    step: str | None,
) -> None:
    fields = {key: data[key] for key in sorted(data) if key != STATUS}
    prefix = field_key("")
    status = data.get(STATUS)
    ctx.outputs.append(
        out.ParticipantUpdate(
            id=name,
            user=ctx.user,
            at=ctx.now,
            campaign=campaign,
            what="created" if CREATED in changed else "updated",
            status=status if isinstance(status, str) else None,
            fields=fields,
            changed=tuple(k.removeprefix(prefix) for k in changed if k != CREATED),
            cause=ctx.cause,
            flow=flow,
            step=step,
        )
    )


def _fitting(
    ctx: Context,
    declared: Campaign,
    given: Data,
    flow: str | None,
    step: str | None,
) -> Data:
    """Return the fields that the campaign accepts; write a rejection for each other field."""
    types = dict(declared.fields)
    found: Data = {}
    for key, value in given.items():
        reason = _unfit(declared, types, key, value)
        if reason is None:
            found[key] = value
        else:
            ctx.emit_rejection(reason, flow, f"{declared.name}: {key}", step)
    return found


def _unfit(declared: Campaign, types: dict[str, str], key: str, value: Any) -> str | None:
    if key == STATUS:
        if not isinstance(value, str):
            return "wrong_type"
        return "unknown_status" if declared.statuses and value not in declared.statuses else None
    if not types:
        return None
    if key not in types:
        return "unknown_field"
    return None if value is None or _is_of(types[key], value) else "wrong_type"


def _is_of(kind: str, value: Any) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "list":
            return isinstance(value, list | tuple)
        case "time":
            return not isinstance(value, bool) and instant_of(value, utc()) is not None
        case _:
            return True
