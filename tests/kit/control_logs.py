"""Random records of a control log: status, versions, goals, winners and kill switches."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from transforms.flows.catalog.control_log import InvalidLog, catalog_of
from transforms.flows.protocol import control_records

DAY = 86_400_000
NOTE = "Hello {{ user.name }}, {{ entry.k }}\n"
GOALS = (
    "{}",
    "won: {event: D, within: 5d}",
    "lost: {event: C, within: 1d, where: event.k == entry.k, value: event.v}",
    "won: {event: A, within: 9d}\nmore: {event: B, within: 20d, where: user.score > 1}",
    'won: {event: D, within: 5d}\npro: {when: user.plan == "pro", within: 8d}',
    "busy: {enters: busy, within: 9d}\nmine: {when: user.score > entry.v, within: 3d}",
)


def without_invalid_migrations(
    log: list[control_records.ControlRecord],
) -> list[control_records.ControlRecord]:
    """Remove ``migrate`` from publications for which the log would be refused."""
    try:
        catalog_of(log)
    except InvalidLog:
        return [
            msgspec.structs.replace(r, migrate=False, successors={})
            if isinstance(r, control_records.Publish)
            else r
            for r in log
        ]
    return log


def winners(
    rng: random.Random, log: list[control_records.ControlRecord], files: dict[str, str], start: int
) -> Iterator[control_records.ControlRecord]:
    """Declare winners of splits, in flows that keep their first version."""
    later = {r.flow for r in log if isinstance(r, control_records.Publish) and r.version > 1}
    for name, text in sorted(files.items()):
        flow = name.removesuffix(".yaml")
        for step in re.findall(r"^  (s\d+): {split: {one:", text, re.MULTILINE):
            if flow not in later and rng.random() < 0.3:
                at, branch = start + rng.randrange(10 * DAY), rng.choice(("one", "two"))
                yield control_records.Winner(
                    sequence=len(log), effective_at=at, flow=flow, step=step, branch=branch
                )


def schedule_lines(rng: random.Random, start: int) -> list[str]:
    """Write the schedule of a flow, which most flows do not have."""
    if rng.random() < 0.85:
        return []
    more = [f"start: {_wall(start + rng.randrange(2 * DAY))}"] if rng.random() < 0.5 else []
    if rng.random() < 0.7:
        more.append(f"end: {_wall(start + rng.randrange(3 * DAY, 20 * DAY))}")
        more += rng.choice(([], ["at_end: stop"]))
    return [f"schedule: {{{', '.join(more)}}}"] if more else ["schedule: {indefinitely: true}"]


def _wall(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M")


def _schedule(rng: random.Random, at: int, head: dict[str, Any]) -> control_records.SetSchedule:
    start = _wall(at + rng.randrange(-DAY, 2 * DAY)) if rng.random() < 0.5 else None
    end = _wall(at + rng.randrange(2 * DAY, 9 * DAY)) if rng.random() < 0.7 else None
    return control_records.SetSchedule(
        start=start, end=end, at_end=rng.choice(("drain", "stop")), **head
    )


def other_space(rng: random.Random, text: str) -> str:
    """Write other settings of a space: an audience, a group, a price; caps and quiet hours stay."""
    others = (
        ("  busy: .*", '  busy: count(event "B" within last 5d) >= 1'),
        ("  busy: .*", "  busy: user.score > 2"),
        ("  road: .*", "  road: {at_once: 1}"),
        ("else: 0.05", "else: 0.06"),
        ("link: 20", "link: 30"),
        ("statuses: .*", "statuses: [new, done, gone]"),
    )
    for old, new in rng.sample(others, 2):
        text = re.sub(old, new, text)
    return text


def record(
    rng: random.Random, at: int, sequence: int, flow: str, version: int, text: str
) -> control_records.ControlRecord:
    """Create one record about a flow; a publication has ``text``."""
    head = {"sequence": sequence, "effective_at": at, "flow": flow}
    kinds = (
        "drain stop priority publish publish publish publish start pause pause pause resume resume"
    )
    kinds += " resume resume kill kill goals schedule archive"
    match rng.choice(kinds.split()):
        case "pause":
            return control_records.Pause(
                resume=rng.choice(("fire", "fire", "shift", "skip")), **head
            )
        case "kill":
            some = {"flow": rng.choice((None, flow)), "channel": rng.choice((None, "email"))}
            return control_records.Kill(off=rng.random() < 0.5, **(head | some))
        case "goals":
            return control_records.SetGoals(text=rng.choice(GOALS), **head)
        case "resume":
            return control_records.Resume(**head)
        case "drain":
            # By the sequence: one more draw would change all worlds.
            kind = control_records.Finish if sequence % 3 == 0 else control_records.Drain
            return kind(**head)
        case "stop":
            return control_records.Stop(
                reason=rng.choice(("stopped", "launch_over", "idle")), **head
            )
        case "priority":
            return control_records.SetPriority(priority=rng.randrange(9), **head)
        case "start":
            return control_records.Start(**head)
        case "archive":
            return control_records.Archive(**head)
        case "schedule":
            return _schedule(rng, at, head)
        case _:
            templates = {"note": NOTE}
            migrate = rng.random() < 0.5
            successors = rng.choice(({}, {"s0": "over"}, {"s0": "over", "s1": "over"}))
            return control_records.Publish(
                version=version,
                text=text,
                templates=templates,
                migrate=migrate,
                successors=successors if migrate else {},
                **head,
            )
