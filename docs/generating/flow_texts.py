"""What each key of a flow's file means: the words of the reference, by section and key.

A test holds them against the JSON Schema: no key without a text, no text without a key.
Examples are steps, triggers and so on as they stand in a file; a test loads each of them.
"""

from __future__ import annotations

from docs.generating import call_texts
from docs.generating.trigger_texts import Texts

FLOW: Texts = {
    "flow": "The flow's id, which is also the name of its file.",
    "about": "A sentence for people.",
    "campaign": "The [campaign](space.md#campaigns) that the flow belongs to: it shares its "
    "participants with the other flows of the campaign.",
    "enter": "Ways to enter, in order; where two match one signal, the first listed enters.",
    "key": "A value that tells sessions of one user apart: one session a user and key (R20). "
    "It reads the data of the entry, as in `entry.cart_id`.",
    "simultaneous": "Several sessions of a user (and key) at once (R20). Usual in a campaign, where "
    "`false` switches it off.",
    "reenter": "Whether and when a user may enter again. Without it: at once after the exit.",
    "exit": "What ends a session at once, also in the middle of a wait (R23).",
    "goals": "Events that count as success, by name (R24).",
    "exit_on_goal": "A session ends when one of its goals is reached.",
    "steps": "The steps by name, in reading order; the first is where sessions begin.",
    "on_exit": "Steps that run when a session ends, for whatever reason. They may not wait.",
    "holdout": "So many users in a hundred walk through silently: nothing leaves for them (R19).",
    "priority": "Flows with a higher number go first where several react to one signal. 0 is usual.",
    "group": "A [group of flows](space.md#groups) that compete for a user, who is in one of them "
    "at a time, say. Of one signal the flow with the higher priority is first.",
    "schedule": "When the flow takes entries.",
    "zone": "The zone of users who have no trait `timezone`; without it that of the space (R16).",
}

SCHEDULE: Texts = {
    "start": "No entries before it.",
    "end": "No entries from then on.",
    "at_end": "`drain` lets sessions go on to their end, `stop` ends them.",
    "indefinitely": "Asks that the flow be stopped not 90 days after its launch, but once no step "
    "was reached for 90 days (R28). Not for a flow that is entered at one moment only.",
}

REENTER: Texts = {
    "after": "How long after the last exit (of the same key) the user stays out.",
    "limit": "At most so many entries of the user (of all keys) in each period.",
}


EXITS: dict[str, tuple[str, Texts, str]] = {
    "event": (
        "An event.",
        {"event": "Its name.", "where": "A condition on it."},
        "- event: Order Completed",
    ),
    "when": (
        "A condition that becomes true; what is true at the entry is no exit.",
        {"when": "The condition."},
        '- when: user.plan == "free"',
    ),
    "left": ("An audience that the user leaves.", {"left": "Its name."}, "- left: vip"),
}

GOAL: Texts = {
    "event": "The event's name.",
    "where": "A condition on it.",
    "within": "Counted from the entry, also after the exit; at most 100 days.",
    "value": "A number, for example an amount; the sum of them is the revenue.",
}
GOAL_EXAMPLE = "bought: {event: Order Completed, within: 30d, value: event.total}"

STEPS: dict[str, tuple[str, Texts, str]] = {
    "wait": (
        (
            "Waits for a duration. With `in visit`, while the user's visit lasts: a run of events of "
            "theirs, each less than 30 minutes after the one before. If the visit ends before the "
            "time is over, or there is none, the session goes on at `gone`."
        ),
        {
            "wait": "How long; at most 400 days. In a visit a fixed length: `20s in visit`.",
            "gone": "In a visit: the step to go on with if it ends first; without it the session ends.",
        },
        (
            "pause: {wait: 2d}\nhere: {wait: 20s in visit, gone: away}\n"
            "offer: {promote: home, show: chat, then: stay}\nstay: {wait: 1h, then: away}\n"
            "away: {end: left}"
        ),
    ),
    "wait_until": (
        "Waits for a moment, at most 400 days ahead.",
        {
            "wait_until": "The moment.",
            "past": "What to do if it is past: `go` on (usual), or `exit`.",
            "missing": "The step to go on with if there is no such date, or a later one; without "
            "it the session ends with the reason `missing_date` or `too_far`.",
        },
        (
            "ready: {wait_until: user.trial_ends - 3d at 09:00, past: exit, missing: none_known}\n"
            "told: {send: log, template: note, then: over}\n"
            "none_known: {end: no_trial}\nover: {end: told}"
        ),
    ),
    "wait_in": (
        "Waits until a window is open; inside it, goes on at once.",
        {"wait_in": "The window."},
        "office: {wait_in: mon-fri 09:00-18:00}",
    ),
    "wait_for": (
        "Waits for the first of several cases, each with its branch. Cases are listed below.",
        {
            "wait_for": "The cases. A condition that is true already passes at once; an event "
            "counts only after the wait began.",
            "timeout": "`after` a duration, `then` a step. What comes exactly then is too late. "
            "Without a time-out the session ends after 400 days.",
            "rank": "Wait until the time-out and take the first listed of those that happened.",
            "repeat": "`restart`: an event, a message or a call whose case has no `then` starts the "
            "time-out again.",
        },
        (
            "answer:\n  wait_for:\n    - {event: Order Completed, then: thanks}\n"
            "  timeout: {after: 2d, then: remind}\n"
            "remind: {send: log, template: note, then: over}\n"
            "thanks: {send: log, template: note, then: over}\nover: {end: done}"
        ),
    ),
    "if": (
        "Takes the first case that is true, else the other branch.",
        {
            "if": "Cases in order: `when` a condition, `then` a step.",
            "else": "The step for all others; without it the next in the file.",
        },
        (
            "who:\n  if:\n    - {when: entry.value >= 100, then: large}\n  else: small\n"
            "large: {send: log, template: note, then: over}\n"
            "small: {send: log, template: note, then: over}\nover: {end: done}"
        ),
    ),
    "match_message": (
        (
            "Branches by the words of the last message of the user that this session claimed, by "
            "its entry or by a wait: an exact keyword before `any`, whatever their order."
        ),
        {
            "match_message": "Cases: `inbound` a keyword, a list of them or `any`, `then` a step.",
            "else": "The step for all other words, and where there was no message; without it the "
            "next in the file.",
        },
        (
            "reply:\n  wait_for:\n    - {inbound: any, number: 4711}\n"
            "words:\n  match_message:\n    - {inbound: [YES, JA], then: good}\n"
            "    - {inbound: any, then: unsure}\n  else: over\n"
            "good: {send: log, template: note, then: over}\n"
            "unsure: {wait: 1h, then: over}\nover: {end: done}"
        ),
    ),
    "split": (
        "Splits users by hash: a user takes the same branch at every visit and re-entry.",
        {
            "split": "Branches by name, with whole percentages that add up to 100. "
            "`10% holdout` is counted, and nothing leaves for it from there on; it needs no step. "
            "`60% rest` takes no part in a test with a `winner`: it waits, say, and comes back.",
            "redraw": "Draw anew at every visit.",
            "winner": "What decides the best branch: `metric` is a goal of the flow, `opened`, "
            "`clicked` or `replied`; `minimum` users a branch (100), and a `confidence` (95%). "
            "A `winner` record of the control log then sends later arrivals there.",
            "then": "The step of each branch, by its name.",
        },
        (
            "test:\n  split: {a: 45%, b: 45%, none: 10% holdout}\n  then: {a: first, b: second}\n"
            "first: {send: log, template: note, then: over}\n"
            "second: {send: log, template: note, then: over}\nover: {end: done}"
        ),
    ),
    "send": (
        "Makes a message, which is judged when it is due (R14). The session goes on at once.",
        {
            "send": "The channel.",
            "agent": "Who sends: an agent of the space, or a list of them, one for each channel.",
            "template": "The template, a file in `messages`.",
            "data": "Values for the template, as expressions; it reads them as `data.NAME`.",
            "at": "When it is due; now without it, and where it is past or missing.",
            "topic": "What the message is about, for consent and caps.",
            "window": "When it may leave; outside it waits for the next opening.",
            "validity": "For how long it may leave.",
            "failover": "Channels to take, in order, where there is no address, or where the one "
            "before fails or bounces.",
            "failover_after": "Take the next channel also where it is not delivered by then.",
            "track": "What is tracked, in place of what the channel says: `[opens, clicks]`, `[]`.",
            "links": "`short` has links shortened, `whole` leaves them.",
            "keep": "A planned message stays when the session is ended by an exit rule, a goal or a stop.",
            "no_consent": "The step to go on with if the user does not want it.",
            "no_address": "The step to go on with if no channel has an address.",
            "expired": "The step to go on with if it could not leave in time.",
            "capped": "The step to go on with if a cap is reached.",
        },
        (
            "hello:\n  send: email\n  agent: desk\n  template: note\n  topic: news\n  track: [clicks]\n  window: 08:00-20:00\n"
            "  validity: 1d\n  failover: [log]\n  capped: quiet\nother: {wait: 1d, then: quiet}\n"
            "quiet: {end: done}"
        ),
    ),
    "promote": (
        "Shows something in a slot of a website as long as the session is in the flow.",
        {
            "promote": "The slot.",
            "show": "What it shows.",
            "for": "For how long at most.",
            "while": "As long as this condition holds.",
        },
        "banner: {promote: home, show: summer, for: 14d}\nstay: {wait: 30d}",
    ),
    "webhook": (
        "Sends a request: here, an output with everything that it needs.",
        {
            "webhook": "An https address, or with a connection a path.",
            "method": "GET, POST (usual), PUT, PATCH or DELETE.",
            "connection": "The name of a connection that has the address and the secrets.",
            "headers": "Headers by name.",
            "template": "A template for the body.",
            "data": "Values for the body, as expressions.",
        },
        'tell: {webhook: "https://example.com/hook", data: {user: user.id, value: entry.value}}',
    ),
    **call_texts.STEPS,
    "export": (
        "Writes a record for a destination.",
        {"export": "A destination of the space.", "fields": "The record's fields, as expressions."},
        "leads: {export: crm, fields: {value: entry.value}}",
    ),
    "update": (
        (
            "Changes traits, tags, fields of the participant and variables of the session; the "
            "next step sees it. "
            "Any of these keys makes the step; several may stand together."
        ),
        {
            "update": "Values to set, as expressions, by `user.TRAIT`, `participant.FIELD`, "
            "`participant.status` or `session.VARIABLE`.",
            "unset": "What to remove.",
            "increment": "Numbers to add; a missing one counts as 0.",
            "append": "Items to add to lists.",
            "tag": "Tags to add.",
            "untag": "Tags to remove.",
        },
        (
            "mark:\n  update: {user.stage: '\"known\"', session.value: entry.value}\n"
            "  increment: {user.visits: 1}\n  tag: [seen]"
        ),
    ),
    "add_to": (
        "Adds the user to a static audience.",
        {"add_to": "The audience."},
        "join: {add_to: club}",
    ),
    "remove_from": (
        "Removes the user from a static audience.",
        {"remove_from": "The audience."},
        "leave: {remove_from: club}",
    ),
    "emit": (
        "Raises an event, which all flows see.",
        {"emit": "The event's name.", "with": "Its properties, as expressions."},
        "raise: {emit: Reminded, with: {value: entry.value}}",
    ),
    "enroll": (
        (
            "Enters the user into another flow, which has a trigger `flow` for this one, or `api`. "
            "The session goes on; the other begins when it has come to its next wait or its end."
        ),
        {"enroll": "The flow.", "with": "Its data there, `entry.`, as expressions."},
        "hand_over: {enroll: second_purchase, with: {value: entry.value}}",
    ),
    "leave": (
        (
            "Ends the user's sessions of other flows with the reason `unenrolled`, when this one "
            "has come to its next wait or its end; also other sessions of its own flow."
        ),
        {"leave": "The flows."},
        "stop_offers: {leave: [win_back, vip]}",
    ),
    "cancel": (
        (
            "Cancels what this flow, or any flow of its campaign, has planned for the user in any "
            "session, and asks the worker to take back what has left and is not yet delivered."
        ),
        {"cancel": "`all`."},
        "enough: {cancel: all}",
    ),
    "end": (
        "Ends the session.",
        {"end": "The reason, a name of your own."},
        "over: {end: reminded}",
    ),
}

CASES: dict[str, tuple[str, str]] = {
    "event": ("`event` with `where`", "An event after the wait began."),
    "when": ("`when`", "A condition that is true, or becomes true."),
    "enters": ("`enters`", "The user enters an audience."),
    "leaves": ("`leaves`", "The user leaves an audience."),
    "inbound": (
        "`inbound` with `number`, `channel`, `where`",
        (
            "The user sends a message with the keyword, one of a list, or with `any` words; the "
            "session reads it as `message.` from then on."
        ),
    ),
    "call": ("`call: true` with `number`, `channel`, `where`", "The user calls."),
    "status": (
        "a status",
        (
            "The newest message of a send step comes to it, or has come to it: "
            "`{opened: remind}`; with `where` only if its results fit: "
            '`{completed: ring, where: communication.choice == "confirm"}`.'
        ),
    ),
}

THEN = (
    "The step to go on with; without it the next in the file, and after the last the session ends."
)
REENTER_OF_TRIGGER = "In place of the flow's own `reenter`."
