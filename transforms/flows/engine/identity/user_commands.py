"""Signals for the whole user, handled before any flow: other keys, erasure, export, import."""

from __future__ import annotations

from transforms.flows.engine.context import Context
from transforms.flows.engine.identity.erase import erase
from transforms.flows.engine.identity.handover import forward_signal
from transforms.flows.engine.identity.state_transfer import export_state, import_state
from transforms.flows.engine.working import State
from transforms.flows.protocol.signals import Command, ProfileChange, Signal


def handle_user_command(ctx: Context, signal: Signal) -> bool:
    """Handle a signal if it is for the whole user; return True if it was."""
    if isinstance(signal, ProfileChange) and signal.becomes is None:
        return ctx.state.identity is not None and forward_signal(ctx, signal)
    if isinstance(signal, Command) and signal.what == "erase":
        erase(ctx, signal)
        return True
    if forward_signal(ctx, signal):
        return True
    if not isinstance(signal, Command) or signal.what not in ("export", "import"):
        return False
    if ctx.is_new_user:
        ctx.begin(signal.id, ctx.now, "command", signal.id, str(ctx.now))
    if signal.what == "export":
        export_state(ctx)
    else:
        import_state(ctx, signal)
    if ctx.is_new_user:  # an export or a refused import creates no user
        ctx.replace_state(State(-1, -1))
    return True
