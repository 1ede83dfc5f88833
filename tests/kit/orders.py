"""Random orders about a user as a whole: erase, export and import (R32)."""

from __future__ import annotations

import random
from typing import Any

from transforms.flows.engine.step import Done, step
from transforms.flows.engine.working import decode
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import Command, Event, ProfileChange

Base = dict[str, Any]

REFUSED = ("user_exists", "invalid_state", "other_log", "erased", "too_old", "loaded_order")


def order(rng: random.Random, base: Base, world: Any, state: bytes | None) -> Command:
    """Draw an order; what is imported is the state of somebody else, or no state.

    Of nobody there is nothing to take out, and nothing is remembered of having been asked for it.
    """
    kinds = "erase erase export import import none" if state is not None else "import"
    match rng.choice(kinds.split()):
        case "erase":
            return Command(what="erase", **base)
        case "export":
            return Command(what="export", **base)
        case "none":
            return Command(what="import", data={"state": {"format": 7}, "replace": True}, **base)
        case _:
            told = exported(rng, world, base["id"], base["time"])
            replace = {"replace": True} if state is not None and rng.random() < 0.7 else {}
            return Command(what="import", data={"state": told, **replace}, **base)


def exported(rng: random.Random, world: Any, name: str, now: int) -> dict[str, Any]:
    """Let somebody live for an hour, and take out what is remembered of them."""
    user, state, catalog = f"other {name} {now}", None, world.catalog()
    told: dict[str, Any] = {}
    for n in range(6):
        base: Base = {"id": f"{name}-{n}", "user": user, "time": max(0, now - 3_600_000 + n)}
        signal: Any = Event(name=rng.choice("ABCD"), properties={"k": "x", "v": 9}, **base)
        if n == 0:
            signal = ProfileChange(set={"email": "b@example.com", "plan": "pro"}, **base)
        if n == 5:
            signal = Command(what="export", **base)
        done = step(catalog, state, signal)
        assert isinstance(done, Done)
        state = done.state
        for output in done.outputs:
            if isinstance(output, out.StateExport):
                told = output.data
    return told


def breaks(signal: object, outputs: tuple[out.AnyOutput, ...]) -> str:
    """Say what a signal made of the user: nobody, somebody else, or what they were."""
    if any(isinstance(output, out.Erased) for output in outputs):
        return "erased"
    if not isinstance(signal, Command) or signal.what != "import":
        return ""
    if signal.bypass or signal.backfill:
        return ""
    mine = [o for o in outputs if isinstance(o, out.Rejection) and o.cause == signal.id]
    return "" if any(o.reason in REFUSED for o in mine) else "imported"


def brought(state: bytes | None) -> frozenset[str]:
    """Name the sessions and messages that an imported state brings."""
    found = decode(state) if state is not None else None
    if found is None:
        return frozenset()
    return frozenset(part.id for part in (*found.sessions, *found.ended, *found.communications))
