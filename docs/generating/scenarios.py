"""The page about scenario files: what can happen, and how the core's words are read."""

from __future__ import annotations

from docs.generating import markdown
from transforms.flows.protocol.signals import STATUSES
from transforms.scenarios.control_lines import CONTROLS
from transforms.scenarios.grammar import HEADERS
from transforms.scenarios.lines import KINDS

INTRO = """
`NAME.scenarios.txt` stands beside `NAME.yaml` and is played by `towpath test`. A line that begins
with `#` after a story begins the next one; its text is the story's title. Before the first thing
that happens stand headers, those above the first `#` for the whole file. Lines at the margin are
what happens, indented ones what the core says; `towpath test --rewrite` writes the latter.

A line begins with a time: `2026-03-01 09:00` (also with seconds, or with an offset such as `Z`)
on the clock of the zone, or `+2h`, `+1d12h`, `-5m` after the time of the line before. Values are
JSON whose keys need no quotes: `{total: 30, plan: "pro"}`.
"""

HEADER: dict[str, str] = {
    "flows": "the flows that are started, by commas; without it the one of the file's name",
    "user": "the user's id; `kim` without it",
    "zone": "the zone of the times written; UTC without it",
    "launch": "when the flows are started; in 1970 without it",
    "show": "`ids` shows the id of every output",
}
KIND: dict[str, tuple[str, str]] = {
    "event": ("`event Order Completed {total: 30}`", "an event with its properties"),
    "profile": (
        '`profile {plan: "pro"} unset ["phone"] tag ["vip"] untag ["new"] consent {email: false}`',
        "traits, tags and consent",
    ),
    "identify": (
        '`identify anon:7 {plan: "pro"}`',
        "the key `anon:7` turns out to be the story's user, or the one of `user=`",
    ),
    "enter": (
        "`enter cart {value: 30} key=c1 member_of=vip launch=spring profile {plan: 1} participant {size: 3}`",
        "an entry by a record, for flows with `api: true` or a launch",
    ),
    "upload": (
        '`upload winter {name: "Kim", size: 3} profile {plan: "pro"}`',
        "one row of an upload: a participant of a campaign, and traits",
    ),
    "audience": ("`audience vip entered` or `left`", "a static audience"),
    "communication": (
        "`communication remind opened {place: 1}`",
        "a status of the newest message of a send step; `flow/step` if several have it",
    ),
    "inbound": (
        '`inbound sms 4711 "YES" answers=ask`, `inbound voice +4930555 call`',
        (
            "a message to a number or a call; `answers` names the send step whose newest message "
            "it answers, or has a message's id in quotes"
        ),
    ),
    "answer": (
        '`answer credit {status: 200, score: 7}`, `answer credit failed "status 500"`',
        "the answer to the newest call of a step; code is answered by the sandbox",
    ),
    "time": ("`time`", "nothing happens until then; what is due comes"),
    "command": (
        "`command stop cart key=c1`, `hold cart resume=shift`, `resume cart`, `suppress cart off`",
        (
            "ends a user's sessions, holds them, or takes no entries; `command erase`, `export`, "
            "and `import`, or `import replace`, of what was exported last"
        ),
    ),
    "control": ("`control drain cart`", "a record of the control log"),
}
CONTROL: dict[str, str] = {
    "start": "starts a flow, which then is not started at the launch",
    "stop": "ends a flow and all of its sessions; `control stop cart reason=idle` says why",
    "pause": "`control pause cart resume=shift`: no entries and no steps; `fire` without it",
    "resume": "lets a paused flow go on",
    "drain": "lets nobody in any more",
    "archive": "as `stop`",
    "priority": "`control priority cart 5`",
    "schedule": '`control schedule cart {end: "2026-04-01"}`',
    "goals": '`control goals cart {bought: {event: "Order", within: "7d"}}`: the goals from now on',
    "winner": "`control winner cart test b`: the best branch of a split",
    "kill": "`control kill`, `control kill cart channel=email`: nothing leaves, until the same `off`",
    "publish": "`control publish v2/cart.yaml`: a new version, from a file in a folder beside; with "
    '`migrate {old: "new"}` running sessions are taken along, with successors of steps',
    "space": "`control space v2/space.yaml`: new settings",
}
OPTIONS = """
At the end of a line may stand `id=x1` (else each line has an id of its own; the same id again is a
repetition), `@received +5m` (the receipt), `bypass`, `backfill`, and `user=anon:7` for another key
than the story's; what the core says of another key ends with that. What keys tell each other is
delivered at once.
"""
SAID = (
    ("`entered`, `reached`, `waiting`, `left`, `ended`", "moves of a session: its flow (`cart#2` is the flow's second), and the step"),
    ("`message`", "a message that leaves: channel, address, template, and the data it needs"),
    ("`status`", "a message comes to a status: `planned`, `active`, `skipped`, `canceled`, or one reported"),
    ("`converted`", "a goal, with the steps that the session had reached"),
    ("`refused`, `dead`", "what was not done, with its [reason](reasons.md)"),
    ("`handover`, `forwarded`", "a state, and then signals, for the key that this one turned out to be"),
    ("`erased`, `exported`", "a user is erased, with the number of the flow state; a state is exported"),
    ("`state`", "where the user stands in all flows, with a number that counts up"),
    ("`participant`", "a participant of a campaign was created, or what of it changed"),
    ("`call`", "a request whose answer is awaited, or code with its inputs"),
    ("`answered`", "what the sandbox answered, at once"),
    ("`audience`, `profile`, `emitted`, `webhook`, `export`", "other outputs"),
    ("`next`", "when the user has to be woken; shown where it changes"),
    ("`nothing`", "nothing was decided; with the reason where there is one to tell"),
)  # fmt: skip


def page() -> str:
    """Write the page."""
    return markdown.page(
        "Scenarios",
        INTRO,
        "## Headers",
        markdown.table(("header", "says"), ((markdown.code(f"{n}:"), HEADER[n]) for n in HEADERS)),
        "## What happens",
        markdown.table(("written", "is"), (KIND[name] for name in KINDS)),
        "Statuses are " + ", ".join(f"`{status}`" for status in STATUSES) + ".",
        OPTIONS,
        "### Control records",
        markdown.table(("record", "does"), ((f"`{n}`", CONTROL[n]) for n in CONTROLS)),
        "## What the core says",
        markdown.table(("word", "is"), SAID),
    )
