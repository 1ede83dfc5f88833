"""The timeline of one user in a replay, read from the user's rows only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from pipelines.replay.batches import BUCKETS
from pipelines.replay.hashes import part_of
from pipelines.replay.results import Account, Choices
from towpath.reports.tables import Tables

KINDS = (
    "audience_update",
    "profile_update",
    "participant_update",
    "rejection",
    "transition",
    "communication",
    "webhook",
    "call",
    "export",
    "emitted",
    "conversion",
    "dead_letter",
)
Record = dict[str, Any]


class Entry(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One entry of the timeline: something that happened, or was prevented.

    ``what`` is ``entered refused reached chose waits left decided planned withheld missed ended
    goal joined left_audience profile participant webhook call export emitted error``. ``started_by`` is the
    id of the signal that started the session, ``cause`` the id of the direct cause. ``choice`` is
    the exit rule, case or branch that was taken: its name, or its condition. ``again``: the user
    had reached the goal before, in another session.
    """

    at: int
    what: str
    flow: str = ""
    step: str = ""
    reason: str = ""
    cause: str = ""
    session: str = ""
    started_by: str = ""
    silent: bool = False
    until: int | None = None
    detail: str = ""
    choice: str = ""
    again: bool = False


class Pending(msgspec.Struct, frozen=True, gc=False):
    """A session that still waits at the end; ``sends`` are the send steps ahead of it."""

    flow: str
    step: str
    since: int
    until: int | None
    session: str
    started_by: str
    sends: list[str]


class History(msgspec.Struct, frozen=True, gc=False):
    """One user's timeline; ``never`` lists the flows of which no trigger matched."""

    user: str
    until: int
    entries: tuple[Entry, ...]
    pending: tuple[Pending, ...]
    never: tuple[str, ...]


def history_of(account: Account, out: Path, user: str) -> History:
    """Build the timeline of a user from the tables in the folder ``out``."""
    with Tables(out, KINDS, f"bucket={part_of(user, BUCKETS):02}") as tables:
        rows = [row for kind in KINDS for row in _rows(tables, kind, user)]
    timeline = _Timeline(account, [row for row in rows if row["kind"] == "transition"])
    order = [(timeline.order(row), entry) for row in rows for entry in timeline.entries(row)]
    order.sort(key=lambda item: item[0])
    entries = tuple(entry for _, entry in order)
    pending = tuple(timeline.pending())
    known = {entry.flow for entry in entries} | {found.flow for found in pending}
    never = tuple(flow for flow in sorted(account.shape.steps) if flow not in known)
    return History(user, account.until, entries, pending, never)


def _rows(tables: Tables, kind: str, user: str) -> Iterator[Record]:
    query = f"""select * replace (epoch_ms("at") as "at") from {kind} where "user" = ?"""
    if kind == "transition":
        query = """select * replace (epoch_ms("at") as "at", epoch_ms(until) as until,
                   epoch_ms(since) as since) from transition where "user" = ?"""
    if kind == "communication":
        query = """select * replace (epoch_ms("at") as "at", epoch_ms(due) as due)
                   from communication where "user" = ?"""
    if kind == "call":
        query = """select * exclude (kind, expires) replace (epoch_ms("at") as "at"),
                   kind as kind_of_call from call where "user" = ?"""
    for place, row in enumerate(tables.records(query, user)):
        yield row | {"kind": kind, "place": place}


class _Timeline:
    """Turns the rows of one user into entries."""

    def __init__(self, account: Account, transitions: list[Record]) -> None:
        self.ahead = account.shape.ahead
        self.transitions = sorted(transitions, key=lambda row: (row["at"], _number(row)))
        entered = [row for row in self.transitions if row["what"] == "entered"]
        self.started = {row["session"]: (index, row["cause"]) for index, row in enumerate(entered)}
        self.sends = {flow: _sends(ahead) for flow, ahead in self.ahead.items()}
        self.versions = account.shape.versions
        self.next_step = _next_steps(self.transitions)

    def order(self, row: Record) -> tuple[int, int, int, int]:
        """Order rows of the same instant: audiences, rejections, then session by session."""
        if "session" in row:
            index = self.started.get(row["session"], (0, ""))[0]
            return row["at"], len(KINDS) + index, _number(row), row["place"]
        return row["at"], KINDS.index(row["kind"]), 0, row["place"]

    def entries(self, row: Record) -> Iterator[Entry]:
        match row["kind"]:
            case "transition":
                yield from self.transition(row)
            case "communication":
                yield from self.communication(row)
            case "conversion":
                value = "" if row["value"] is None else f"{row['value']:g}"
                found = self.entry(row, "goal", row["goal"], detail=value)
                yield msgspec.structs.replace(found, again=not row["first_conversion"])
            case "rejection":
                yield self.entry(row, "refused", row["reason"], detail=row["detail"])
            case "audience_update":
                what = "joined" if row["entered"] else "left_audience"
                yield self.entry(row, what, detail=row["audience"])
            case "profile_update":
                yield self.entry(row, "profile")
            case "participant_update":
                yield self.entry(row, "participant", row["what"], detail=row["campaign"])
            case "call":
                detail = (
                    "code" if row["kind_of_call"] == "code" else f"{row['method']} {row['target']}"
                )
                yield self.entry(row, "call", detail=detail)
            case "dead_letter":
                yield self.entry(row, "error", row["reason"], detail=row["detail"])
            case kind:
                yield self.entry(row, kind)

    def transition(self, row: Record) -> Iterator[Entry]:
        what, reason = row["what"], row["reason"] or row["variant"] or ""
        match what:
            case "waiting":
                yield self.entry(row, "waits", reason, until=row["until"])
            case "reached" if choice := self.branch(row):
                yield self.entry(row, "chose", choice=choice)
            case "reached" if row["step"] in self.sends.get(row["flow"], ()):
                return
            case "ended":
                choice = self.exit_rule(row) if reason == "exit_rule" else ""
                yield self.entry(row, "ended", reason, choice=choice)
                if reason != "completed":
                    for step in self.ahead[row["flow"]].get(row["step"], ()):
                        yield self.entry(row | {"step": step}, "missed", reason)
            case "left":
                yield self.entry(row, "left", reason, choice=self.case(row, reason))
            case _:
                yield self.entry(row, what, reason)

    def choices(self, row: Record) -> Choices:
        """Return what the version of a row's session chooses by."""
        return self.versions.get(row["flow"], {}).get(str(row["version"]), Choices())

    def exit_rule(self, row: Record) -> str:
        """Return the exit rule that ended a session."""
        exits, rule = self.choices(row).exits, row["variant"]
        if rule is None:
            return exits[0] if len(exits) == 1 else ""
        return _numbered(exits, rule, "exit_")

    def case(self, row: Record, reason: str) -> str:
        """Return the case that ended a wait."""
        return _numbered(self.choices(row).cases.get(row["step"], []), reason, "case_")

    def branch(self, row: Record) -> str:
        """Return the conditions by which a session went on from a step that decides."""
        branches = self.choices(row).branches.get(row["step"])
        to = self.next_step.get((row["session"], row["id"]))
        return " or ".join(branches.get(to or "", [])) if branches else ""

    def communication(self, row: Record) -> Iterator[Entry]:
        detail = f"{row['template']} on {row['channel']}"
        match row["status"]:
            case "active":
                yield self.entry(row, "decided", detail=detail + _cost(row))
            case "planned":
                yield self.entry(row, "planned", until=row["due"], detail=detail)
            case "skipped" | "expired" | "canceled":
                yield self.entry(row, "withheld", row["reason"] or "", detail=detail)
            case status:
                yield self.entry(row, "status", status, detail=detail)

    def entry(
        self,
        row: Record,
        what: str,
        reason: str = "",
        *,
        until: int | None = None,
        detail: str = "",
        choice: str = "",
    ) -> Entry:
        session = row.get("session") or ""
        return Entry(
            at=row["at"],
            what=what,
            flow=row.get("flow") or "",
            step=row.get("step") or "",
            reason=reason,
            cause=row.get("cause") or "",
            session=session,
            started_by=self.started.get(session, (0, ""))[1],
            silent=bool(row.get("silent")),
            until=until,
            detail=detail,
            choice=choice,
        )

    def pending(self) -> Iterator[Pending]:
        last: dict[str, Record] = {row["session"]: row for row in self.transitions}
        for session, row in last.items():
            if row["what"] == "ended":
                continue
            yield Pending(
                flow=row["flow"],
                step=row["step"],
                since=row["at"],
                until=row["until"],
                session=session,
                started_by=self.started.get(session, (0, ""))[1],
                sends=self.ahead[row["flow"]].get(row["step"], []),
            )


def _numbered(texts: list[str], name: str, prefix: str) -> str:
    """Return the text of a case or an exit rule; a name is its own text."""
    number = name.removeprefix(prefix)
    if name.startswith(prefix) and number.isdigit():
        return texts[int(number) - 1] if 0 < int(number) <= len(texts) else ""
    return name if name in texts else ""


def _next_steps(transitions: list[Record]) -> dict[tuple[str, str], str]:
    """Return the step that followed each arrival, by session and id of the row."""
    found: dict[tuple[str, str], str] = {}
    last: dict[str, str] = {}
    for row in transitions:
        if row["what"] == "reached":
            if row["session"] in last:
                found[row["session"], last[row["session"]]] = row["step"]
            last[row["session"]] = row["id"]
    return found


def _cost(row: Record) -> str:
    """Describe the number of parts, if several, and their cost."""
    parts = f", {row['parts']} parts" if (row["parts"] or 1) > 1 else ""
    return parts if row["cost"] is None else f"{parts}, cost {row['cost']:g}"


def _sends(ahead: dict[str, list[str]]) -> set[str]:
    return {send for found in ahead.values() for send in found}


def _number(row: Record) -> int:
    """Return the number of an output within its session, taken from its id (R30)."""
    rest = row["id"][len(row["session"]) + 1 :].split("-")[0]
    return int(rest) if rest.isdigit() else 0
