"""A user's whole state taken out as readable data, and put in again elsewhere, exactly."""

from __future__ import annotations

from typing import Final

import msgspec

from transforms.flows.engine.context import Data, Run
from transforms.flows.engine.flow_state import say_state
from transforms.flows.engine.identity.erase import end_all
from transforms.flows.engine.identity.merge import nothing_before
from transforms.flows.engine.identity.state_data import from_data, to_data
from transforms.flows.engine.identity.state_replacement import go_on, left, sessions_of
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import Command
from transforms.flows.state.codec import encoded_size
from transforms.flows.state.dedupe import remember, seen
from transforms.flows.state.ids import short
from transforms.flows.state.sent_archive import look_through
from transforms.flows.state.stored import Communication, Identity
from transforms.flows.state.working import Session, State, closed

FORMAT: Final = 1
LARGEST: Final = 256 * 1024


def export_state(run: Run, t: int) -> None:
    """Tell all that is remembered, as it is after this order."""
    numbers = sorted(_flows(run.state))
    data = {
        "format": FORMAT,
        "space": run.space,
        "user": run.user,
        "at": t,
        "flows": {str(number): run.catalog.ids[number] for number in numbers},
        "steps": _steps(run, _standing(run.state)),
        "state": to_data(run.state),
    }
    run.outputs.append(out.StateExport(id=run.other_id(), user=run.user, at=t, data=data))


def import_state(run: Run, order: Command, t: int) -> None:
    """Put an exported state in a new user's place, or with ``replace`` in anybody's."""
    if not run.fresh and order.data.get("replace") is not True:
        run.reject("user_exists", t)
        return
    given = order.data.get("state")
    data = given if isinstance(given, dict) else {}
    try:
        state = from_data(data.get("state", {}))
    except (ValueError, TypeError, msgspec.ValidationError):
        run.reject("invalid_state", t)
        return
    if data.get("format") != FORMAT or encoded_size(closed(state)) > LARGEST:
        run.reject("invalid_state", t)
    elif not _belongs(run, state, data):
        run.reject("other_log", t)
    else:
        _put_in(run, state, order, t)


def _put_in(run: Run, state: State, order: Command, t: int) -> None:
    before = run.state
    sessions, messages = sessions_of(before), left(before)
    end_all(run, "replaced", t)
    if not run.fresh:
        go_on(state, before, sessions, messages, t)
    told = before.sequence > 0
    state.sequence = max(state.sequence, before.sequence + told)
    if before.identity is not None and before.identity.erased is not None:
        state.identity = state.identity or Identity()
        state.identity.erased = before.identity.erased
    known = short(order.id)
    if not seen(state.memory, known):
        state.memory, state.dropped = remember(state.memory, known, t, t, state.dropped)
    state.clock = max(state.clock, t)
    nothing_before(state, state.clock)
    run.renew(state)
    if state.sequence:
        state.sequence -= 1
        say_state(run, t)


# --- what a state is about -------------------------------------------------------------------


def _standing(state: State) -> list[Session | Communication]:
    return [*state.sessions, *state.ended, *state.communications, *look_through(state)]


def _flows(state: State) -> set[int]:
    found = {part.flow for part in _standing(state)} | {p.flow for p in state.pending}
    return found | set(state.histories) | {flow for flow in state.suppressed if flow >= 0}


def _steps(run: Run, parts: list[Session | Communication]) -> dict[str, dict[str, str]]:
    """Name the steps at which something stands, by flow and version."""
    found: dict[str, dict[str, str]] = {}
    for part in parts:
        plan = run.plans[part.flow, part.version]
        known = found.setdefault(f"{plan.id}@{plan.version}", {})
        known[str(part.step)] = plan.nodes[part.step].name
    return found


def _belongs(run: Run, state: State, data: Data) -> bool:
    """Tell whether the state's flows, versions and steps are those of this space."""
    ids, parts = run.catalog.ids, _standing(state)
    named = {str(number): ids[number] for number in _flows(state) if 0 <= number < len(ids)}
    known = all(
        (p.flow, p.version) in run.plans and p.step in run.plans[p.flow, p.version].nodes
        for p in parts
    )
    flows = run.era.by_number
    known = known and all(
        p.flow in flows and 0 <= p.trigger < len(flows[p.flow].plan.starts) for p in state.pending
    )
    known = known and all(session.flow in state.histories for session in state.sessions)
    return (
        data.get("space") == run.space
        and data.get("flows") == named
        and known
        and data.get("steps") == _steps(run, parts)
    )
