"""What a source may bring is declared: the one check of it for all hosts (R9).

Every source may bring events, profile changes, audiences, entries and what communications bring.
Commands, erasures, exports, imports and states of other keys are refused unless the source is
allowed to bring them.
"""

from __future__ import annotations

from typing import Final, assert_never

import msgspec

from transforms.flows.protocol.signals import (
    AudienceChange,
    CallResult,
    Command,
    CommunicationUpdate,
    Enter,
    Event,
    Forwarded,
    Handover,
    Inbound,
    ProfileChange,
    Signal,
    Time,
)

KINDS: Final = {
    "command": "the commands `hold`, `resume`, `stop`, `suppress` and `wake`",
    "erase": "the command `erase`, which removes everything about a user",
    "export": "the command `export`, which writes everything about a user to the topic `state_export`",
    "import": "the command `import`, which sets the state of a user",
    "handover": "`handover` and `forwarded`: the state of one key for another",
    "alias": "`alias` with a `previousId` that is not an anonymous key: it merges one user into "
    "another",
}
"""The kinds that a source must be allowed to bring."""

EVERYTHING: Final = frozenset(KINDS)
ANONYMOUS: Final = "anon:"
OWN_KINDS: Final = ("erase", "export", "import")
"""Commands that have a kind of their own."""


class Source(msgspec.Struct, frozen=True, gc=False):
    """A source by its name in dead letters, and the kinds that it may bring besides the usual ones."""

    name: str = "this source"
    allow: frozenset[str] = frozenset()


def restricted_kind(signal: Signal) -> str | None:
    """Return the kind that a source must be allowed to bring; None if every source may."""
    match signal:
        case Event():
            return None
        case ProfileChange():
            merges_user = signal.becomes is not None and not signal.user.startswith(ANONYMOUS)
            return "alias" if merges_user else None
        case AudienceChange() | CommunicationUpdate() | Inbound() | Enter() | CallResult() | Time():
            return None
        case Command():
            return signal.what if signal.what in OWN_KINDS else "command"
        case Handover() | Forwarded():
            return "handover"
        case _:
            assert_never(signal)
