"""The page about scenario files: inputs, outputs and options."""

from __future__ import annotations

from docs.generating import markdown
from transforms.flows.protocol.signals import STATUSES
from transforms.scenarios.grammar import HEADERS
from transforms.scenarios.lines import CONTROLS, KINDS

INTRO = """
`NAME.scenarios.txt` is next to `NAME.yaml` and is run by `towpath test`. A line that starts with
`#` begins a scenario; its text is the title. Headers come before the first input of a scenario;
those above the first `#` apply to the whole file. Lines that are not indented are inputs, indented
lines are outputs; `towpath test --rewrite` writes the outputs.

An input starts with a time: `2026-03-01 09:00` (optionally with seconds or an offset such as `Z`)
in the time zone of the file, or `+2h`, `+1d12h`, `-5m` relative to the previous input. Values are
JSON, but keys need no quotes: `{total: 30, plan: "pro"}`.
"""

HEADER: dict[str, str] = {
    "flows": "the flows to start, separated by commas (default: the flow with the file's name)",
    "user": "the user's id (default: `kim`)",
    "zone": "the time zone of times in the file (default: UTC; in `towpath simulate`, the zone of the space)",
    "launch": "when the flows start (default: in 1970)",
    "show": "`message ended` compares only lines of these words, and each only as far as it is "
    "written, so that it can be written before the run; `ids` shows the id of every output",
}
KIND: dict[str, tuple[str, str]] = {
    "event": ("`event Order Completed {total: 30}`", "an event with its properties"),
    "profile": (
        '`profile {plan: "pro"} unset ["phone"] tag ["vip"] untag ["new"] consent {email: false}`',
        "traits, tags and consent",
    ),
    "identify": (
        '`identify anon:7 {plan: "pro"}`',
        "the key `anon:7` belongs to the scenario's user, or to the one of `user=`",
    ),
    "enter": (
        "`enter cart {value: 30} key=c1 member_of=vip launch=spring profile {plan: 1} participant {size: 3}`",
        "an entry record, for flows with `api: true` or a launch",
    ),
    "upload": (
        '`upload winter {name: "Kim", size: 3} profile {plan: "pro"}`',
        "one row of an upload: a participant of a campaign, and traits",
    ),
    "audience": ("`audience vip entered` or `left`", "a static audience"),
    "communication": (
        "`communication remind opened {place: 1}`, `communication remind failed attempt=1`",
        "a status of the latest message of a send step; `flow/step` if several flows have the step",
    ),
    "inbound": (
        '`inbound sms 4711 "YES" answers=ask`, `inbound voice +4930555 call`',
        (
            "a message or call from the user to a number; `answers` names the send step whose "
            "latest message it answers, or has the id of a message in quotes"
        ),
    ),
    "answer": (
        '`answer credit {status: 200, score: 7}`, `answer credit failed "status 500"`',
        "the response to the latest call of a step; the sandbox answers code",
    ),
    "time": ("`time`", "only lets time pass, so that timers fire"),
    "command": (
        "`command stop cart key=c1`, `hold cart resume=shift`, `resume cart`, `suppress cart off`",
        (
            "ends or holds the user's sessions, or refuses entries; `command erase`, `export`, "
            "and `import` or `import replace` of the latest export"
        ),
    ),
    "control": ("`control drain cart`", "a record of the control log"),
}
TABLES = """
A scenario may end with a table: one input at several times, each for a user of its own, after the
inputs above it. A row compares the time of the first output of a kind, or `never` within 400 days.
So a table shows what a window or quiet hours do, and can be written before the run:

```text
# Offers leave in office hours

table: event Offer {value: 30} -> message
2026-03-06 16:59 -> 2026-03-06 16:59
2026-03-06 17:00 -> 2026-03-09 09:00
2026-03-07 12:00 -> 2026-03-09 09:00
```
"""
CONTROL: dict[str, str] = {
    "start": "starts a flow, instead of starting it at the launch",
    "stop": "stops a flow and ends all its sessions; `control stop cart reason=idle` sets the reason",
    "pause": "`control pause cart resume=shift`: no entries and no steps (default mode: `fire`)",
    "resume": "resumes a paused flow",
    "drain": "accepts no more entries",
    "finish": "no entries from now on; live sessions continue. The controller writes it when the last session has ended",
    "archive": "like `stop`",
    "priority": "`control priority cart 5`",
    "schedule": '`control schedule cart {end: "2026-04-01"}`',
    "goals": '`control goals cart {bought: {event: "Order", within: "7d"}}`: sets the goals',
    "winner": "`control winner cart test b`: declares the winner of a split",
    "kill": "`control kill`, `control kill cart channel=email`: sends nothing, until the same with `off`",
    "publish": "`control publish v2/cart.yaml`: a new version, from a file in a subfolder, whose `messages` come before those of the folder; with "
    '`migrate {old: "new"}` live sessions move to it, with successors of steps',
    "space": "`control space v2/space.yaml`: new settings",
}
OPTIONS = """
A line may end with `id=x1` (by default each line has its own id; a repeated id is a duplicate),
`@received +5m` (the ingestion time), `bypass`, `backfill`, and `user=anon:7` for another key than
the scenario's user; outputs of another key end with the same option. Records that one key sends to
another are delivered at once.
"""
SAID = (
    ("`entered`, `reached`, `waiting`, `left`, `ended`", "transitions of a session: the flow (`cart#2` is its second session) and the step"),
    ("`message`", "a message that is sent: channel, address, template and its data"),
    ("`status`", "a message status: `planned`, `active`, `skipped`, `canceled`, or a reported one"),
    ("`converted`", "a goal, with the steps that the session has reached"),
    ("`refused`, `dead`", "something that was refused, with the [reason](reasons.md)"),
    ("`handover`, `forwarded`", "a state, and later signals, sent to the key into which this one was merged"),
    ("`erased`, `exported`", "a user was erased, with the number of the flow state; a state was exported"),
    ("`state`", "the user's position in all flows, with a sequence number"),
    ("`participant`", "a participant of a campaign was created or changed"),
    ("`call`", "an HTTP request with a response, or code with its inputs"),
    ("`answered`", "the result of code from the sandbox"),
    ("`audience`, `profile`, `emitted`, `webhook`, `export`", "other outputs"),
    ("`next`", "the next timer; shown when it changes"),
    ("`nothing`", "there was no output; with the reason if there is one"),
)  # fmt: skip


def page() -> str:
    """Return the page."""
    return markdown.page(
        "Scenarios",
        INTRO,
        "## Headers",
        markdown.table(
            ("header", "meaning"), ((markdown.code(f"{n}:"), HEADER[n]) for n in HEADERS)
        ),
        "## Inputs",
        markdown.table(("line", "meaning"), (KIND[name] for name in KINDS)),
        "Statuses are " + ", ".join(f"`{status}`" for status in STATUSES) + ".",
        OPTIONS,
        "### Control records",
        markdown.table(("record", "effect"), ((f"`{n}`", CONTROL[n]) for n in CONTROLS)),
        "## Tables",
        TABLES,
        "## What the core says",
        markdown.table(("word", "is"), SAID),
    )
