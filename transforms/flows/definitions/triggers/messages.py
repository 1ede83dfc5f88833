"""Triggers on messages and calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, Flaw, TriggerKind
from transforms.flows.definitions.values import AGAIN, Reenter, Value, where
from transforms.flows.expressions.syntax.ast import Expr

Reported = Literal["updated", "ended"]


class OnCommunication(Value, frozen=True, gc=False, tag="communication"):
    """Enter when a message of any flow reaches a status, or a final one (C9, C10)."""

    when: Reported
    where: Expr | None = None
    reenter: Reenter | None = None


class OnInbound(Value, frozen=True, gc=False, tag="inbound"):
    """Enter when the user sends one of these keywords; without any, with every message (I5, I6)."""

    keywords: tuple[str, ...] = ()
    number: str | None = None
    channel: str | None = None
    where: Expr | None = None
    reenter: Reenter | None = None


class OnCall(Value, frozen=True, gc=False, tag="call"):
    """Enter when the user calls a number (I8)."""

    number: str
    channel: str | None = None
    where: Expr | None = None
    reenter: Reenter | None = None


class OnIncoming(Value, frozen=True, gc=False, tag="incoming"):
    """Enter by any message or call of the user in a channel, to any number (C11)."""

    channel: str
    where: Expr | None = None
    reenter: Reenter | None = None


MessageTriggers = OnCommunication | OnInbound | OnCall | OnIncoming

_ON_MESSAGE = forms.Condition(roots=("message",))


def _needs_place(trigger: OnInbound) -> Iterator[Flaw]:
    if trigger.number is None and trigger.channel is None:
        message = 'a trigger with "inbound" needs a number or a channel'
        yield Flaw((), "missing-key", message, "write number: or channel:")


def _sent(trigger: OnInbound | OnCall) -> str:
    """Say what a user sends: its keywords, and where."""
    what = "calls"
    if isinstance(trigger, OnInbound):
        words = " or ".join(f'"{word}"' for word in trigger.keywords)
        what = f"sends {words or 'any message'}"
    to = f" to {trigger.number}" if trigger.number else ""
    return what + to + (f" by {trigger.channel}" if trigger.channel else "")


# fmt: off
KINDS = (
    TriggerKind(
        struct=OnCommunication,
        title=lambda trigger: f"a message {'changes' if trigger.when == 'updated' else 'ends'}",
        fields=(
            Field("communication", forms.Choice(get_args(Reported)),
                "`updated` for any status but `planned`, `ended` for its first final one.", "when",
                needed=True),
            where("A condition on it.", forms.Condition(roots=("communication",))),
            AGAIN,
        ),
        about="A message of any flow that reaches a status. What `where` reads as "
        "`communication.` the session keeps as `entry.`: `name` of the send step, `flow`, "
        "`channel`, `status`, `id`, and what its results report.",
        example='- communication: ended\n  where: communication.name == "offer"',
    ),
    TriggerKind(
        struct=OnInbound, title=_sent, entry="message", checks=(_needs_place,),
        fields=(
            Field("inbound", forms.Keywords(),
                "A keyword, a list of them, or `any`. Blanks around it and case do not matter.",
                "keywords", needed=True),
            Field("number", forms.Number(takes="messages"),
                "The number, or the sender's name, that the user wrote to."),
            Field("channel", forms.Listed("channel"),
                "The channel; without a number, all that comes by it."),
            where("A condition on the message; one that does not match claims nothing.",
                _ON_MESSAGE),
            AGAIN,
        ),
        about="A message that the user sends to a number of the space, or in a channel. One "
        "message is claimed once: by a session that waits for its exact keyword, else by an entry "
        "with it, else by a session that waits for any words, else by an entry with `any`. The "
        "session keeps as `entry.` what `where` reads as `message.`: `text`, `as_number` (if it "
        "is one), `number`, `channel`, `call` and `communication`.",
        example="- inbound: [JOIN, START]\n  number: 4711\n"
        "- {inbound: any, channel: sms, where: message.as_number is set}",
    ),
    TriggerKind(
        struct=OnCall, title=_sent, entry="message",
        fields=(
            Field("call", forms.Mark(), "`true`.", "", needed=True),
            Field("number", forms.Number(takes="calls"), "The number called.", needed=True),
            Field("channel", forms.Listed("channel"), "Only by this channel."),
            where("A condition on the call.", _ON_MESSAGE),
            AGAIN,
        ),
        about="A call of the user to a number, which belongs to one running flow. It reads and "
        "keeps the same as `inbound`.",
        example='- call: true\n  number: "+4930555"',
    ),
    TriggerKind(
        struct=OnIncoming, title="whatever comes by {channel}", entry="message",
        fields=(
            Field("incoming", forms.Listed("channel"), "The channel.", "channel", needed=True),
            where("A condition on the message or call.", _ON_MESSAGE),
            AGAIN,
        ),
        about="All that the user sends by a channel, messages and calls, to any number; it claims "
        "like `inbound: any`. It reads and keeps the same as `inbound`.",
        example="- incoming: sms",
    ),
)
"""How these triggers are written, in the order of the reference."""
# fmt: on
