"""Profile, consent, and the audiences that are computed from them and from aggregates.

A user enters or leaves a computed audience when the value of its condition changes (R18).
"""

from __future__ import annotations

from collections.abc import Iterable

from transforms.flows.catalog.epochs import ComputedAudience
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.limits import LISTS_BOUND, PROFILE_BOUND
from transforms.flows.protocol.outputs import AudienceUpdate
from transforms.flows.protocol.signals import AudienceChange, ProfileChange
from transforms.flows.state import trait_times
from transforms.flows.state.codec import encoded_size


def change_profile(ctx: Context, change: ProfileChange) -> Data | None:
    """Set and unset traits, tags and consent; return the previous values of changed traits.

    If the profile would exceed 64 KB, only consent is applied and None is returned.
    """
    state = ctx.state
    traits = state.traits
    if change.consent:
        _take_consent(ctx, change.consent)
    if change.set or change.tag:
        more = encoded_size(change.set) + encoded_size(change.tag)
        if encoded_size(traits) + encoded_size(state.tags) + more > PROFILE_BOUND:
            ctx.emit_rejection("value_too_large", detail="profile")
            return None
    changed: Data = {}
    before = list(traits)
    for name, value in change.set.items():
        if value is None:
            continue
        if name not in traits or traits[name] != value or type(traits[name]) is not type(value):
            changed[name] = traits.get(name)
            traits[name] = value
    for name in (*change.unset, *(n for n, v in change.set.items() if v is None)):
        if name in traits:
            changed[name] = traits.pop(name)
    if change.set or changed:
        state.trait_ages = trait_times.updated_times(
            state.trait_ages, before, traits, change.set, ctx.now
        )
    ctx.invalidate_view()
    if ctx.epoch.reads_tags:
        changed |= _changed_tags(state.tags, change)
    change_tags(ctx, change.tag, change.untag)
    return changed


def tag_key(tag: str) -> str:
    """Return the key of a tag in a dict of changed traits."""
    return f"\0tag {tag}"


def _changed_tags(tags: list[str], change: ProfileChange) -> Data:
    """Return for each tag that will change if it was set before; add and remove is a removal."""
    now = {*tags, *change.tag}.difference(change.untag)
    names = dict.fromkeys((*change.tag, *change.untag))
    return {tag_key(n): n in tags for n in names if (n in tags) != (n in now)}


def _take_consent(ctx: Context, change: dict[str, bool]) -> None:
    joined = ctx.state.consent | change
    if encoded_size(joined) > LISTS_BOUND:
        ctx.emit_rejection("value_too_large", detail="consent")
    else:
        ctx.state.consent = joined


def change_tags(ctx: Context, tag: Iterable[str], untag: Iterable[str]) -> None:
    """Add and remove tags."""
    tags = ctx.state.tags
    for name in tag:
        if name not in tags:
            tags.append(name)
    for name in untag:
        if name in tags:
            tags.remove(name)


def set_member(ctx: Context, audience: str, entered: bool) -> bool:
    """Set a membership; return True if it changed."""
    members = ctx.state.audiences
    if entered == (audience in members):
        return False
    if entered:
        members[audience] = ctx.now
    else:
        del members[audience]
    return True


def recompute(ctx: Context, audiences: Iterable[ComputedAudience]) -> None:
    """Evaluate computed audiences, and raise changes of membership."""
    ctx.view_for()
    for audience in audiences:
        _evaluate(ctx, audience)


def _evaluate(ctx: Context, audience: ComputedAudience) -> None:
    condition, name = audience.condition, audience.name
    inside = condition.test(ctx.view)
    if condition.timed:
        check = condition.next_change(ctx.view)
        if check is None:
            ctx.state.audience_checks.pop(name, None)
        else:
            ctx.state.audience_checks[name] = check
    if set_member(ctx, name, inside):
        emit_membership(ctx, name, inside)


def emit_membership(
    ctx: Context,
    audience: str,
    entered: bool,
    flow: str | None = None,
    step: str | None = None,
) -> None:
    """Write that the user entered or left an audience of the core, and raise it for flows."""
    name = ctx.next_output_id()
    ctx.outputs.append(AudienceUpdate(name, ctx.user, ctx.now, audience, entered, flow, step))
    ctx.enqueue(
        AudienceChange(id=name, user=ctx.user, time=ctx.now, audience=audience, entered=entered)
    )


def forget_audiences(ctx: Context) -> None:
    """Remove the user from audiences that are no longer computed, and drop their timers."""
    known = {audience.name for audience in ctx.epoch.audiences}
    for audience in ctx.catalog.at(ctx.now - 1).audiences:
        if audience.name not in known and set_member(ctx, audience.name, False):
            emit_membership(ctx, audience.name, False)
    for name in [name for name in ctx.state.audience_checks if name not in known]:
        del ctx.state.audience_checks[name]
