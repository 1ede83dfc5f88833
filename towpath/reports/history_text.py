"""One user's timeline as text: one line per entry, with the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from towpath.reports.history import Entry, History, Pending
from transforms.flows.clock.zones import iso
from transforms.flows.diagnostics import printable
from transforms.flows.protocol.reason_codes import REASONS

Paint = Callable[[str, str], str]


def to_text(history: History, paint: Paint) -> str:
    """Format the timeline; times are UTC, control characters in the data are escaped."""
    entries = [_escaped(entry) for entry in history.entries]
    width = max((len(entry.flow) for entry in entries), default=0)
    lines = [paint(f"user {history.user}", "bold") + f", until {_time(history.until)} UTC", ""]
    day = ""
    for entry in _shown(entries):
        time = _time(entry.at)
        margin = time if time != day else " " * len(time)
        lines.append(f"{margin}  {entry.flow:<{width}}  {_describe(entry, paint)}")
        day = time
    if history.pending:
        lines += ["", paint("active sessions", "bold")]
        lines += [f"  {_waiting(found)}" for found in history.pending]
    if history.never:
        lines += ["", f"no trigger matched: {', '.join(history.never)}"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _shown(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Leave out entries that the next ones imply, and join missed steps."""
    ended = {(e.at, e.session, e.reason) for e in entries if e.what == "ended"}
    missed: Entry | None = None
    for entry in entries:
        if missed and entry.what != "missed":
            yield missed
            missed = None
        if entry.what == "missed":
            steps = f"{missed.step}, {entry.step}" if missed else entry.step
            missed = msgspec.structs.replace(entry, step=steps)
        elif entry.what == "left" and (
            not entry.reason or (entry.at, entry.session, entry.reason) in ended
        ):
            continue
        elif entry.what != "reached":
            yield entry
    if missed:
        yield missed


def _escaped(entry: Entry) -> Entry:
    step, reason, detail = (printable(text) for text in (entry.step, entry.reason, entry.detail))
    return msgspec.structs.replace(entry, step=step, reason=reason, detail=detail)


def _time(at: int) -> str:
    return iso(at)[:19].replace("T", " ").removesuffix(" 00:00:00")


def _describe(entry: Entry, paint: Paint) -> str:
    why = REASONS.get(entry.reason, "")
    match entry.what:
        case "entered":
            holdout = "; in the holdout, receives nothing" if entry.silent else ""
            return paint(f"entered by the {entry.reason} trigger{holdout}", "bold")
        case "refused":
            return f"entry refused: {_with_reason(entry.reason, why)}"
        case "waits":
            return f"{entry.step}: waits{_until(entry.until)}"
        case "left":
            return f"{entry.step}: continues, {_with_choice(entry)}"
        case "chose":
            return f"{entry.step}: chooses {entry.choice}"
        case "decided":
            return paint(f"{entry.step}: would send {entry.detail}", "green")
        case "planned":
            due = "" if entry.until is None else f", due {_time(entry.until)}"
            return f"{entry.step}: message planned, {entry.detail}{due}"
        case "withheld":
            return paint(f"{entry.step}: no message: {_with_reason(entry.reason, why)}", "yellow")
        case "missed":
            return paint(f"{entry.step}: not reached", "yellow")
        case "ended":
            if entry.choice:
                return f"ended at {entry.step}: {entry.reason}: {entry.choice}"
            return f"ended at {entry.step}: {_with_reason(entry.reason, why)}"
        case "goal":
            value = f", value {entry.detail}" if entry.detail else ""
            again = " again" if entry.again else ""
            return paint(f"goal {entry.reason}", "green") + value + again
        case "joined":
            return f"entered audience {entry.detail}"
        case "left_audience":
            return f"left audience {entry.detail}"
        case "status":
            return f"{entry.step}: message {entry.reason}"
        case "profile":
            return "profile changed"
        case "participant":
            return f"participant of {entry.detail} {entry.reason}"
        case "error":
            return f"error: {_with_reason(entry.reason, entry.detail)}"
        case "call":
            return f"{entry.step}: {'runs code' if entry.detail == 'code' else entry.detail}"
        case what:
            return f"{entry.step}: {what}"


def _with_reason(reason: str, why: str) -> str:
    return f"{reason}, {why}" if why else reason


def _with_choice(entry: Entry) -> str:
    if not entry.choice or entry.choice == entry.reason:
        return entry.reason
    return f"{entry.reason}: {entry.choice}"


def _until(at: int | None) -> str:
    return "" if at is None else f" until {_time(at)}"


def _waiting(found: Pending) -> str:
    sends = f"; send steps ahead: {', '.join(found.sends)}" if found.sends else ""
    return f"{found.flow}: waits at {found.step} since {_time(found.since)}{_until(found.until)}{sends}"
