"""Steps that make messages and promotions, and the one that cancels messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from transforms.flows.clock.delays import Delay
from transforms.flows.clock.schedules import When
from transforms.flows.clock.windows import Window
from transforms.flows.definitions import forms
from transforms.flows.definitions.shapes import Field, Flaw, StepKind
from transforms.flows.definitions.values import TRACKED, Links, Named, Value
from transforms.flows.expressions.syntax.ast import Expr


class Send(Value, frozen=True, gc=False, tag="send"):
    """Make a communication, planned for ``at`` or due now; the send policy decides when due (R14).

    ``branches`` maps a reason (``no_consent``, ``capped`` …) to a step, taken only
    by a send that is due at once or has ``hold``: then the session waits for the decision. ``agents`` are the senders by channel (C15). ``track``
    and ``links`` None: as the channel says (I31).
    """

    channel: str
    template: str
    data: Named = ()
    at: When | None = None
    topic: str | None = None
    window: Window | None = None
    validity: Delay | None = None
    failover: tuple[str, ...] = ()
    failover_after: Delay | None = None
    keep: bool = False
    branches: tuple[tuple[str, str], ...] = ()
    agents: tuple[tuple[str, str], ...] = ()
    track: tuple[str, ...] | None = None
    links: Links | None = None
    urgent: bool = False
    hold: bool = False


class Promote(Value, frozen=True, gc=False, tag="promote"):
    """Show a promotion in a slot while the session is in the flow, until it ends (J6)."""

    slot: str
    promotion: str
    lasts: Delay | None = None
    while_: Expr | None = None


class CancelAll(Value, frozen=True, gc=False, tag="cancel_all"):
    """Cancel what this flow has planned for the user, or sent and not yet delivered (C16)."""


Sends = Send | Promote | CancelAll


def says_nothing_of_tracking(send: Send) -> bool:
    """Return whether agents, tracking and links of a step's messages are those of the channel."""
    return not send.agents and send.track is None and send.links is None


def _needs_failover(send: Send) -> Iterator[Flaw]:
    if send.failover_after is not None and not send.failover:
        message = '"failover_after" needs failover: a list of channels'
        yield Flaw(("failover_after",), "missing-key", message, at_key=True)


def _branch(reason: str, text: str) -> Field:
    step = forms.ReasonStep(label=reason.replace("_", " "))
    return Field(reason, step, f"The step to go on with if {text}.", "branches")


# fmt: off
KINDS = (
    StepKind(
        struct=Send, box="send", caption="Send {channel}", checks=(_needs_failover,),
        fields=(
            Field("send", forms.Listed("channel"), "The channel.", "channel", needed=True),
            Field("agent", forms.Agents(),
                "Who sends: an agent of the space, or a list of them, one for each channel.",
                "agents"),
            Field("template", forms.TemplateName(), "The template, a file in `messages`.",
                needed=True, shown="template {}"),
            Field("data", forms.Named(),
                "Values for the template, as expressions; it reads them as `data.NAME`."),
            Field("topic", forms.Listed("topic"),
                "What the message is about, for consent and caps.", shown="topic {}"),
            Field("at", forms.Moment(),
                "When it is due; now without it, and where it is past or missing.", shown="at {}"),
            Field("window", forms.Window(),
                "When it may leave; outside it waits for the next opening.", shown="{}"),
            Field("validity", forms.Delay(), "For how long it may leave.", shown="valid for {}"),
            Field("failover", forms.ListOf(forms.Listed("channel")),
                "Channels to take, in order, where there is no address, or where the one before "
                "fails or bounces.", shown="else by {}"),
            Field("failover_after", forms.Delay(),
                "Take the next channel also where it is not delivered by then.", shown="after {}"),
            Field("keep", forms.Flag(),
                "A planned message stays when the session is ended by an exit rule, a goal or a "
                "stop."),
            Field("urgent", forms.Flag(),
                "It passes quiet hours and caps, and no cap counts it: for a password reset or a "
                "receipt.", shown="urgent"),
            Field("hold", forms.Flag(),
                "The session waits until the message leaves, or it is decided that it does not: "
                "with quiet hours, a window or `at` it goes on only then.",
                shown="waits until it leaves"),
            Field("track", forms.Tracked(TRACKED),
                "What is tracked, in place of what the channel says: `[opens, clicks]`, `[]`."),
            Field("links", forms.Choice(get_args(Links)),
                "`short` has links shortened, `whole` leaves them."),
            _branch("no_consent", "the user does not want it"),
            _branch("no_address", "no channel has an address"),
            _branch("expired", "it could not leave in time"),
            _branch("capped", "a cap is reached"),
        ),
        about="Makes a message; the send policy decides when it is due. The session goes on at "
        "once, with `hold` when the message leaves. The branches are for messages that are due at "
        "once, or have `hold`.",
        example="hello:\n  send: email\n  agent: desk\n  template: note\n  topic: news\n"
        "  track: [clicks]\n  window: 08:00-20:00\n  validity: 1d\n  failover: [log]\n"
        "  capped: quiet\nother: {wait: 1d, then: quiet}\nquiet: {end: done}",
    ),
    StepKind(
        struct=Promote, box="send", caption="Promote in {slot}",
        fields=(
            Field("promote", forms.Text(), "The slot.", "slot", needed=True),
            Field("show", forms.Text(), "What it shows.", "promotion", needed=True, shown="{}"),
            Field("for", forms.Delay(), "For how long at most.", "lasts", shown="for {}"),
            Field("while", forms.Condition(watched=True), "As long as this condition holds.",
                "while_", shown="while {}"),
        ),
        about="Shows something in a slot of a website as long as the session is in the flow.",
        example="banner: {promote: home, show: summer, for: 14d}\nstay: {wait: 30d}",
    ),
    StepKind(
        struct=CancelAll, box="effect", caption="Cancel messages",
        fields=(
            Field("cancel", forms.Word("all"), "`all`.", "", needed=True,
                shown="planned, or not yet delivered"),
        ),
        about="Cancels what this flow, or any flow of its campaign, has planned for the user in "
        "any session, and asks the worker to take back what has left and is not yet delivered.",
        example="enough: {cancel: all}",
    ),
)
"""How these steps are written, in the order of the reference."""
# fmt: on
