"""What concerns a user as a whole, before any flow: another key, erasure, export and import."""

from __future__ import annotations

from transforms.flows.engine.context import Run
from transforms.flows.engine.identity.erase import erase
from transforms.flows.engine.identity.handover import leaves
from transforms.flows.engine.identity.state_transfer import export_state, import_state
from transforms.flows.protocol.signals import Command, ProfileChange, Signal
from transforms.flows.state.working import State


def apart(run: Run, signal: Signal, t: int) -> bool:
    """Handle what is not for flows; tell whether it was such."""
    if isinstance(signal, ProfileChange) and signal.becomes is None:
        return run.state.identity is not None and leaves(run, signal, t)
    if isinstance(signal, Command) and signal.what == "erase":
        erase(run, signal, t)
        return True
    if leaves(run, signal, t):
        return True
    if not isinstance(signal, Command) or signal.what not in ("export", "import"):
        return False
    if run.fresh:
        run.begin(signal.id, t, f"{signal.id} of {t}")
    if signal.what == "export":
        export_state(run, t)
    else:
        import_state(run, signal, t)
    if run.fresh:  # nobody is known by being asked for
        run.renew(State(clock=-1, absorbed=-1))
    return True
