"""One user's timeline for the eye: a line a thing, with the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from towpath.reports.history import Entry, History, Pending
from transforms.flows.clock.zones import iso
from transforms.flows.protocol.reason_codes import REASONS

Paint = Callable[[str, str], str]


def to_text(history: History, paint: Paint) -> str:
    """Write the timeline; times are UTC."""
    width = max((len(entry.flow) for entry in history.entries), default=0)
    lines = [paint(f"user {history.user}", "bold") + f", until {_time(history.until)} UTC", ""]
    day = ""
    for entry in _worth_telling(history.entries):
        time = _time(entry.at)
        margin = time if time != day else " " * len(time)
        lines.append(f"{margin}  {entry.flow:<{width}}  {_said(entry, paint)}")
        day = time
    if history.pending:
        lines += ["", paint("still under way", "bold")]
        lines += [f"  {_waiting(found)}" for found in history.pending]
    if history.never:
        lines += ["", f"no trigger matched: {', '.join(history.never)}"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _worth_telling(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Leave out what the next entries say anyway, and put missed steps together."""
    ended = {(entry.at, entry.session) for entry in entries if entry.what == "ended"}
    missed: Entry | None = None
    for entry in entries:
        if missed and entry.what != "missed":
            yield missed
            missed = None
        if entry.what == "missed":
            steps = f"{missed.step}, {entry.step}" if missed else entry.step
            missed = msgspec.structs.replace(entry, step=steps)
        elif entry.what == "left" and (not entry.reason or (entry.at, entry.session) in ended):
            continue
        elif entry.what != "reached":
            yield entry
    if missed:
        yield missed


def _time(at: int) -> str:
    return iso(at)[:19].replace("T", " ").removesuffix(" 00:00:00")


def _said(entry: Entry, paint: Paint) -> str:
    why = REASONS.get(entry.reason, "")
    match entry.what:
        case "entered":
            apart = "; in the holdout, gets nothing" if entry.silent else ""
            return paint(f"enters, by its trigger on {entry.reason}{apart}", "bold")
        case "refused":
            return f"is refused: {_because(entry.reason, why)}"
        case "waits":
            return f"{entry.step}: waits{_until(entry.until)}"
        case "left":
            return f"{entry.step}: goes on, {entry.reason}"
        case "decided":
            return paint(f"{entry.step}: message decided, {entry.detail}", "green")
        case "planned":
            return (
                f"{entry.step}: message planned, {entry.detail}, due {_until(entry.until).strip()}"
            )
        case "withheld":
            return paint(f"{entry.step}: no message: {_because(entry.reason, why)}", "yellow")
        case "missed":
            return paint(f"{entry.step}: never reached", "yellow")
        case "ended":
            return f"ends at {entry.step}: {_because(entry.reason, why)}"
        case "goal":
            return paint(f"goal {entry.reason}", "green") + (
                f", worth {entry.detail}" if entry.detail else ""
            )
        case "joined":
            return f"joins the audience {entry.detail}"
        case "left_audience":
            return f"leaves the audience {entry.detail}"
        case "status":
            return f"{entry.step}: message {entry.reason}"
        case "profile":
            return "the profile is changed"
        case "participant":
            return f"is {entry.reason} as a participant of {entry.detail}"
        case "error":
            return f"error: {_because(entry.reason, entry.detail)}"
        case "call":
            return f"{entry.step}: {'runs code' if entry.detail == 'code' else entry.detail}"
        case what:
            return f"{entry.step}: {what}"


def _because(reason: str, why: str) -> str:
    return f"{reason}, {why}" if why else reason


def _until(at: int | None) -> str:
    return "" if at is None else f" until {_time(at)}"


def _waiting(found: Pending) -> str:
    sends = f"; may still decide {', '.join(found.sends)}" if found.sends else ""
    return f"{found.flow}: waits at {found.step} since {_time(found.since)}{_until(found.until)}{sends}"
