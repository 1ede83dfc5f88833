"""Combinations of events: the progress of each, per key, until one is complete (I4).

An event at *e* counts during ``[e, e + within)`` (R2), whatever the status of the flow: whether the
user may enter is decided when the combination is complete (R19, R26).
"""

from __future__ import annotations

from typing import Final, final

from transforms.flows.catalog.compiled import CompiledTrigger
from transforms.flows.catalog.epochs import FlowView
from transforms.flows.clock.delays import after
from transforms.flows.definitions.triggers.events import OnCombination
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.entry.entry_data import kept_fields, key_of, over_limit
from transforms.flows.engine.entry.pending import all_pending, replace_pending
from transforms.flows.protocol.signals import Event
from transforms.flows.state.stored import Pending

MOST_PENDING: Final = 100


def combine(
    ctx: Context, view: FlowView, compiled: CompiledTrigger, trigger: OnCombination, event: Event
) -> list[str]:
    """Add an event to a combination; return the keys for which that completes it.

    A key is empty if the flow has none, or if no part has a value for it.
    """
    scope = ctx.view_for(view.plan)
    if trigger.how == "any":
        return [""] if any(matcher.test(scope) for matcher in compiled.matchers) else []
    matchers = compiled.matchers
    hits = [i for i, m in enumerate(matchers) if not m.entry_fields and m.test(scope)]
    comparing = [i for i, m in enumerate(matchers) if m.entry_fields and m.event == event.name]
    if not hits and not comparing:
        return []
    part = _Part(ctx, view, compiled, trigger, event, hits, comparing)
    if trigger.how == "without":
        part.follow()
        return []
    return part.advance()


@final
class _Part:
    """An event that is, or may be, a part of a combination.

    ``hits`` are the parts that it matches; ``comparing`` those with its name whose condition reads
    ``entry.``, the first part: whether it matches them differs from one progress to the next.
    """

    def __init__(
        self,
        ctx: Context,
        view: FlowView,
        compiled: CompiledTrigger,
        trigger: OnCombination,
        event: Event,
        hits: list[int],
        comparing: list[int],
    ) -> None:
        self.ctx, self.view, self.compiled, self.trigger = ctx, view, compiled, trigger
        self.event, self.hits, self.comparing = event, hits, comparing
        self.key = key_of(ctx, view.plan, event.properties) or ""
        self.before = all_pending(ctx, view, compiled)
        self.same_key = self._of_the_key()

    def _of_the_key(self) -> list[Pending]:
        """Return the progress of the event's key, else that without a key.

        An event without a value for the key counts for all.
        """
        if not self.key:
            return self.before
        return [p for p in self.before if p.key == self.key] or [
            p for p in self.before if not p.key
        ]

    def _compares(self, part: int, first: Data | None) -> bool:
        """Test a part whose condition reads the first part."""
        if part not in self.comparing or first is None:
            return False
        scope = self.ctx.view_for(self.view.plan)
        scope.entry = first
        return self.compiled.matchers[part].test(scope)

    def _first_part(self) -> Data:
        """Return the fields of the event that the conditions of later parts read."""
        kept, properties = self.compiled.entry_fields, self.event.properties
        return {name: properties[name] for name in properties if name in kept}

    # --- without ----------------------------------------------------------------------------

    def follow(self) -> None:
        """End the progress that the event follows, or begin a period in which none may follow.

        An event that is a first part, and followed itself, begins nothing.
        """
        follows = any(hit > 0 for hit in self.hits)
        ended = [
            p
            for p in self.before
            if (follows and p in self.same_key)
            or any(self._compares(part, p.data) for part in self.comparing)
        ]
        replace_pending(self.ctx, ended, [])
        itself = any(self._compares(part, self.event.properties) for part in self.comparing)
        if self.hits and not follows and not itself:
            self._begin([p for p in self.before if p not in ended and p.key == self.key])

    def _begin(self, earlier: list[Pending]) -> None:
        """Begin the period of a first part; it replaces the earlier one of the same key."""
        ctx, plan = self.ctx, self.view.plan
        data = self._first_part() | kept_fields(ctx, plan, self.event.properties)
        reason = "invalid_key" if plan.key is not None and not self.key else None
        reason = reason or over_limit(ctx, data)
        if reason is None and not earlier and len(ctx.state.pending) >= MOST_PENDING:
            reason = "too_many_pending"
        if reason is not None:
            ctx.emit_rejection(reason, plan.id, self.key)
            return
        for replaced in earlier:
            ctx.emit_rejection("replaced_by_newer", plan.id, self.key, cause=replaced.cause)
        begun = Pending(plan.number, self.compiled.number, cause=self.event.id, key=self.key)
        begun.due = after(self.trigger.within, ctx.now, ctx.zone_of(plan))
        begun.data = data
        replace_pending(ctx, earlier, [begun])

    # --- all, sequence ----------------------------------------------------------------------

    def advance(self) -> list[str]:
        """Add the event to the progress of its key; return the keys that are complete now."""
        if self.hits[:1] == [0] and (reason := over_limit(self.ctx, self._first_part())):
            self.ctx.emit_rejection(reason, self.view.plan.id, self.key)
            del self.hits[0]
        live = [p for p in self.before if self._still_counts(p)]
        self.same_key = [p for p in self.same_key if p in live]
        begun = self._begun(live)
        going_on: list[Pending] = []
        complete: list[Pending] = []
        for progress in live if begun is None else [*live, begun]:
            if self.trigger.how == "all":
                self._add(progress)
                whole = None not in progress.times
            else:
                self._step(progress)
                whole = progress.times[-1] is not None
            (complete if whole else going_on).append(progress)
        replace_pending(self.ctx, self.before, going_on)
        return list(dict.fromkeys(progress.key for progress in complete))

    def _still_counts(self, progress: Pending) -> bool:
        """Drop the parts whose period is over; return whether others are left."""
        ctx, within = self.ctx, self.trigger.within
        zone = ctx.zone_of(self.view.plan)
        times = progress.times or [None] * len(self.compiled.matchers)
        progress.times = [
            at if at is not None and ctx.now < after(within, at, zone) else None for at in times
        ]
        return any(at is not None for at in progress.times)

    def _begun(self, live: list[Pending]) -> Pending | None:
        """Return the progress that the event begins: with any part of ``all``, or the first."""
        ctx, plan = self.ctx, self.view.plan
        if self.trigger.how == "all":
            begins = bool(self.hits) and not self.same_key
        else:
            begins = self.hits[:1] == [0] and not any(p.key == self.key for p in live)
        if not begins:
            return None
        if len(ctx.state.pending) >= MOST_PENDING:
            ctx.emit_rejection("too_many_pending", plan.id, self.key)
            return None
        begun = Pending(plan.number, self.compiled.number, key=self.key)
        begun.times = [None] * len(self.compiled.matchers)
        self.same_key = [*self.same_key, begun]
        return begun

    def _add(self, progress: Pending) -> None:
        """Add the event to every part of ``all`` that it matches."""
        matchers = self.compiled.matchers
        for i in range(len(matchers)):
            mine = i in self.hits and progress in self.same_key
            if i == 0 and mine:
                self._keep_first(progress)
                # Parts that compare with the first one compare with the newest.
                for j, matcher in enumerate(matchers):
                    if matcher.entry_fields:
                        progress.times[j] = None
            if mine or self._compares(i, progress.parts.get(0)):
                progress.times[i] = self.ctx.now
            if mine:
                progress.key = progress.key or self.key

    def _step(self, progress: Pending) -> None:
        """Move every part of a sequence that the event follows one part on."""
        times, parts = progress.times, progress.parts
        for i in reversed(range(len(times))):
            mine = i in self.hits and progress in self.same_key
            if i == 0:
                if mine and progress.key == self.key:
                    times[0] = self.ctx.now
                    self._keep_first(progress)
            elif times[i - 1] is not None and (mine or self._compares(i, parts.get(i - 1))):
                times[i] = times[i - 1]
                if i - 1 in parts:
                    parts[i] = parts[i - 1]
                if mine:
                    progress.key = progress.key or self.key

    def _keep_first(self, progress: Pending) -> None:
        """Keep of a first part what the conditions of later parts read."""
        if self.compiled.entry_fields:
            progress.parts[0] = self._first_part()
