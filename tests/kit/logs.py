"""Random records of a control log: states, versions, goals, winners and kill switches."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import msgspec

from transforms.flows import control
from transforms.flows.publish import InvalidLog, catalog_of

DAY = 86_400_000
NOTE = "Hello {{ user.name }}, {{ entry.k }}\n"
GOALS = (
    "{}",
    "won: {event: D, within: 5d}",
    "lost: {event: C, within: 1d, where: event.k == entry.k, value: event.v}",
    "won: {event: A, within: 9d}\nmore: {event: B, within: 20d, where: user.score > 1}",
)


def followed(log: list[control.ControlRecord]) -> list[control.ControlRecord]:
    """Take no sessions along where the log would be refused for it."""
    try:
        catalog_of(log)
    except InvalidLog:
        return [
            msgspec.structs.replace(r, migrate=False, successors={})
            if isinstance(r, control.Publish)
            else r
            for r in log
        ]
    return log


def winners(
    rng: random.Random, log: list[control.ControlRecord], files: dict[str, str], start: int
) -> Iterator[control.ControlRecord]:
    """Declare winners of splits, in flows that keep their first version."""
    later = {r.flow for r in log if isinstance(r, control.Publish) and r.version > 1}
    for name, text in sorted(files.items()):
        flow = name.removesuffix(".yaml")
        for step in re.findall(r"^  (s\d+): {split: {one:", text, re.MULTILINE):
            if flow not in later and rng.random() < 0.3:
                at, branch = start + rng.randrange(10 * DAY), rng.choice(("one", "two"))
                yield control.Winner(
                    sequence=len(log), effective_at=at, flow=flow, step=step, branch=branch
                )


def record(
    rng: random.Random, at: int, sequence: int, flow: str, version: int, text: str
) -> control.ControlRecord:
    """Make one record about a flow; a publication brings ``text``."""
    head = {"sequence": sequence, "effective_at": at, "flow": flow}
    kinds = (
        "drain stop priority publish publish publish publish start pause pause pause resume resume"
    )
    kinds += " resume resume kill kill goals"
    match rng.choice(kinds.split()):
        case "pause":
            return control.Pause(resume=rng.choice(("fire", "fire", "shift", "skip")), **head)
        case "kill":
            some = {"flow": rng.choice((None, flow)), "channel": rng.choice((None, "email"))}
            return control.Kill(off=rng.random() < 0.5, **(head | some))
        case "goals":
            return control.SetGoals(text=rng.choice(GOALS), **head)
        case "resume":
            return control.Resume(**head)
        case "drain":
            return control.Drain(**head)
        case "stop":
            return control.Stop(**head)
        case "priority":
            return control.SetPriority(priority=rng.randrange(9), **head)
        case "start":
            return control.Start(**head)
        case _:
            templates = {"note": NOTE}
            migrate = rng.random() < 0.5
            successors = rng.choice(({}, {"s0": "over"}, {"s0": "over", "s1": "over"}))
            return control.Publish(
                version=version,
                text=text,
                templates=templates,
                migrate=migrate,
                successors=successors if migrate else {},
                **head,
            )
