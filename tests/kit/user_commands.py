"""Random commands about a whole user: erase, export and import (R32)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from transforms.flows.engine.identity.state_data import from_data
from transforms.flows.engine.step import Done, step
from transforms.flows.engine.working import decode
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import Command, Event, ProfileChange, Signal

Base = dict[str, Any]

REFUSED = ("user_exists", "invalid_state", "other_log", "erased", "too_old", "loaded_order")


DAY = 86_400_000


def user_command(
    rng: random.Random,
    base: Base,
    world: Any,
    state: bytes | None,
    exports: Sequence[dict[str, Any]] = (),
) -> Command:
    """Generate a command; an imported state is that of another user, an earlier export, or invalid.

    For an unknown user it is an import: an export would be empty and would not be remembered.
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
            if exports and rng.random() < 0.5:
                given = rng.choice(exports)
            else:
                age = rng.choice((0, 0, 3 * DAY, 40 * DAY))
                given = other_state(rng, world, base["id"], max(0, base["time"] - age))
            replace = {"replace": True} if state is not None and rng.random() < 0.7 else {}
            return Command(what="import", data={"state": given, **replace}, **base)


def other_state(rng: random.Random, world: Any, name: str, now: int) -> dict[str, Any]:
    """Run another user for an hour, and export the state."""
    user, state, catalog = f"other {name} {now}", None, world.catalog()
    given: dict[str, Any] = {}
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
                given = output.data
    return given


def effect_on_user(signal: object, outputs: tuple[out.AnyOutput, ...]) -> str:
    """Return what a signal did to the user: erased, replaced, or unchanged."""
    if any(isinstance(output, out.Erased) for output in outputs):
        return "erased"
    if not isinstance(signal, Command) or signal.what != "import":
        return ""
    if signal.bypass or signal.backfill:
        return ""
    mine = [o for o in outputs if isinstance(o, out.Rejection) and o.cause == signal.id]
    return "" if any(o.reason in REFUSED for o in mine) else "imported"


def imported_names(signal: Signal, state: bytes | None) -> frozenset[str]:
    """Return the names of the sessions and messages that an import brought.

    A control record since the export may have ended a session at once: the command alone has it.
    """
    assert isinstance(signal, Command)
    brought = from_data(signal.data["state"]["state"])
    found = [brought, *([decode(state)] if state is not None else [])]
    return frozenset(
        part.id for one in found for part in (*one.sessions, *one.ended, *one.communications)
    )
