"""The flows of a log as a list, and its records as a history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from towpath.control.situation import Counts, Situation
from transforms.flows.catalog.epochs import FlowView
from transforms.flows.protocol.control_records import ControlRecord

HEAD = ("is", "sequence", "effective_at", "by", "made_at", "note", "flow")
TEXTS = ("text", "templates")
"""Fields of records that are too long for a history."""


class Listed(msgspec.Struct, frozen=True):
    """A flow as of an instant: its last change in words, and those that are to come."""

    flow: str
    status: str
    version: int | None
    priority: int
    sessions: Counts | None
    changed: str
    coming: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return everything but the sessions."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "sessions"}


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record of the log for a history."""

    sequence: int
    effective_at: int
    what: str
    flow: str | None = None
    details: str = ""
    by: str | None = None
    made_at: int | None = None
    note: str | None = None


def listed(situation: Situation, names: Sequence[str]) -> list[Listed]:
    """List flows in order of their ids, all if no names are given. Raises Refused."""
    last = situation.moved_to(max((r.effective_at for r in situation.records), default=0))
    chosen = [last.flow(name) for name in names] or list(last.epoch.by_id.values())
    return [_listed(situation, view) for view in sorted(chosen, key=lambda v: v.plan.flow.id)]


def _listed(situation: Situation, later: FlowView) -> Listed:
    """Return a flow as of now; one that is yet to be published is a draft."""
    flow = later.plan.flow.id
    view = situation.epoch.by_id.get(flow)
    entries = history(situation, flow)
    past = [entry for entry in entries if entry.effective_at <= situation.at]
    return Listed(
        flow,
        "draft" if view is None else view.status,
        None if view is None else view.plan.version,
        (view or later).priority,
        situation.sessions_of(flow),
        _words(situation, past[-1]) if past else "",
        tuple(_words(situation, e) for e in entries if e.effective_at > situation.at),
    )


def history(situation: Situation, flow: str | None = None) -> list[Entry]:
    """Return the records of a flow, or all, in the order in which they take effect."""
    return [
        entry_of(record)
        for record in situation.catalog.records
        if flow is None or getattr(record, "flow", None) == flow
    ]


def entry_of(record: ControlRecord) -> Entry:
    """Return a record for a history."""
    said: dict[str, Any] = msgspec.to_builtins(record)
    rest = {name: value for name, value in said.items() if name not in (*HEAD, *TEXTS)}
    details = " ".join(f"{name}={_value(value)}" for name, value in rest.items())
    head = {name: said[name] for name in HEAD if name in said and name != "is"}
    return Entry(what=said["is"], details=details, **head)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}:{inner}" for key, inner in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _words(situation: Situation, entry: Entry) -> str:
    by = f" by {entry.by}" if entry.by else ""
    note = f": {entry.note}" if entry.note else ""
    details = f" {entry.details}" if entry.details else ""
    return f"{entry.what}{details} at {situation.show(entry.effective_at)}{by}{note}"
