"""Random campaigns: flows that read and write participants, and uploads of participants."""

from __future__ import annotations

import random
import re
from typing import Any

from transforms.flows.protocol.signals import Enter

SPACE = (
    "campaigns:",
    "  camp:",
    "    fields: {plan: text, n: number, due: time, list: list}",
    "    statuses: [new, done]",
    "  side: {}",
)
PARTICIPANT = {
    "template: note, data: {n: user.score}": "template: note",
    "user.plan": "participant.plan",
    "user.score": "participant.n",
    "user.day": "participant.due",
    "user.list": "participant.list",
    "template: note": "template: note, data: {n: participant.n, status: participant.status}",
    "{tag: [hot]": "{update: {participant.status: '\"done\"'}",
}
"""Settings of a flow in a campaign, in place of those of other flows."""

STARTS = (
    "participant: created",
    "{participant: created, on_upload: always}",
    "{participant: created, where: participant.n > 2}",
    "{participant: created, reenter: {after: 1h}}",
)
CHANGES = ("participant: updated", "{participant: updated, field: n, where: participant.n > 1}")


def of_campaign(rng: random.Random, text: str, last: bool) -> str:
    """Return a flow as one of a campaign.

    Only the last flow is entered by changes, since flows that change each other's participants
    continue up to the limit of a cascade, which takes seconds per signal. Only flows without loops
    that do not react to their own messages have several sessions at once.
    """
    for there, here in PARTICIPANT.items():
        text = text.replace(there, here)
    head, _, rest = text.partition("\n")
    starts = rng.sample(STARTS, rng.choice((0, 1, 1))) + ([rng.choice(CHANGES)] if last else [])
    more = "".join(f"  - {start}\n" for start in starts)
    hears = "communication:" in rest
    several = not hears and not re.search(r"^  r\d", rest, re.MULTILINE) and rng.random() < 0.5
    rest = rest.replace("simultaneous: true\n", "") if hears else rest
    one = "" if several or "simultaneous" in rest else "simultaneous: false\n"
    campaign = rng.choice(("camp", "camp", "side"))
    rest = rest.replace("enter:\n", f"enter:\n{more}", 1)
    return f"{head}\ncampaign: {campaign}\n{one}{rest}"


def upload(rng: random.Random, base: dict[str, Any]) -> Enter:
    """Upload a row, sometimes of an unknown campaign or with invalid fields."""
    campaign = rng.choice(("camp", "camp", "camp", "camp", "side", "gone"))
    return Enter(flow=campaign, operation="upload", participant=fields(rng), **base)


def fields(rng: random.Random) -> dict[str, Any]:
    """Generate fields of a participant."""
    some: dict[str, Any] = {
        "plan": rng.choice(("pro", "free", None, 7)),
        "n": rng.choice((1, 3, 5, 9.5, "many", None)),
        "due": rng.choice(("2026-03-29", "2028-02-29", "2026-10-25", "soon", None)),
        "status": rng.choice(("new", "done", "done", "old")),
        "colour": "red",
    }
    return {name: some[name] for name in rng.sample(sorted(some), rng.choice((0, 1, 2, 3)))}
