"""Steps that change what is known of the user, and the one that raises an event."""

from __future__ import annotations

from transforms.flows.definitions.values import Named, Value


class Update(Value, frozen=True, gc=False, tag="update"):
    """Set, unset, increment and append traits and session variables; add and remove tags (C17).

    Targets are ``user.<trait>``, ``participant.<field>`` or ``session.<variable>``.
    """

    set: Named = ()
    unset: tuple[str, ...] = ()
    increment: Named = ()
    append: Named = ()
    tag: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()


class ChangeAudience(Value, frozen=True, gc=False, tag="change_audience"):
    """Add the user to a static audience, or remove them (J7)."""

    audience: str
    add: bool = True


class EmitEvent(Value, frozen=True, gc=False, tag="emit"):
    """Raise an event of the product's own, seen by all flows."""

    event: str
    properties: Named = ()


Updates = Update | ChangeAudience | EmitEvent
