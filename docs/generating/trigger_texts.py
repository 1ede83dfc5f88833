"""Texts and examples of the triggers of flows, see ``flow_texts``."""

from __future__ import annotations

Texts = dict[str, str]

TRIGGERS: dict[str, tuple[str, Texts, str]] = {
    "event": (
        (
            "An event. With `without` and `within`: none of the others followed in time; the entry "
            "is then at the end of that time."
        ),
        {
            "event": "The event's name.",
            "where": "A condition on the event.",
            "without": "Events of which none may follow.",
            "within": "For how long the others may come.",
        },
        (
            "- event: Cart Updated\n  where: event.value >= 20\n"
            "- {event: Checkout Started, without: [{event: Order Completed}], within: 2h}"
        ),
    ),
    "all": (
        "Several events within a period, in any order. One event may serve for several parts.",
        {"all": "The events.", "within": "The period; an event counts until it is over."},
        "- all: [{event: Signed Up}, {event: Cart Updated}]\n  within: 7d",
    ),
    "any": (
        "One of several events.",
        {
            "any": "The events.",
            "within": "Asked for, as in the other combinations; without effect.",
        },
        "- any: [{event: Signed Up}, {event: Cart Updated}]\n  within: 1d",
    ),
    "sequence": (
        (
            "Several events in this order within a period, which begins with the first. "
            "One event serves for one part."
        ),
        {"sequence": "The events.", "within": "The period."},
        "- sequence: [{event: Cart Updated}, {event: Checkout Started}]\n  within: 1h",
    ),
    "changed": (
        "A trait that changes.",
        {
            "changed": "The trait, without `user.`.",
            "from": "Only from this value; an expression.",
            "to": "Only to this value; an expression.",
            "held": "Only if it stays so for this long; the entry is at the end of that time.",
            "where": "A condition, judged at the entry.",
        },
        "- changed: plan\n  to: '\"pro\"'\n  held: 1d",
    ),
    "date": (
        "A date of the profile, or an offset from it.",
        {
            "date": "The moment.",
            "yearly": "Each anniversary of it.",
            "where": "A condition, judged at that moment.",
        },
        "- date: anniversary of user.birthday - 3d at 09:00",
    ),
    "at": (
        "A date or a recurring time, for the members of an audience.",
        {"at": "The moment.", "audience": "Whose members enter."},
        "- {at: mon 09:00, audience: vip}",
    ),
    "audience": (
        "An audience.",
        {
            "audience": "Its name.",
            "when": "`entered` (usual), `left`, `member`: those who are in it when the flow "
            "starts, and those who join later; or `launch`: only those who are in it then. Of the "
            "last two, over audiences, tags and people, a flow has at most one.",
        },
        "- audience: vip",
    ),
    "api": (
        "An `enter` record: from an interface, a launch, an upload, or an `enroll` of any flow.",
        {"api": "`true`.", "where": "A condition on the record's data, which is `entry.`."},
        "- api: true\n  where: entry.value > 0",
    ),
    "flow": (
        "Another flow, which enrolls the user in this one.",
        {
            "flow": "The flow that enrolls.",
            "where": "A condition on the data that it gives, which is `entry.`.",
        },
        "- flow: welcome\n  where: entry.value > 0",
    ),
    "tag": (
        "A tag that is added to the user, or removed.",
        {
            "tag": "The tag.",
            "when": "`added` (usual), `removed`, `member`: those who have it when the flow starts, "
            "and those who get it later; or `launch`: only those who have it then.",
        },
        "- tag: not_received",
    ),
    "people": (
        (
            "The people of a list: every `enter` record that names a `launch`, as `towpath launch` "
            "writes them. What else the list says of somebody is `entry.`. A launch that comes "
            "again enters nobody twice."
        ),
        {"people": "`true`."},
        "- people: true",
    ),
    "participant": (
        (
            "A participant of the flow's campaign: created, by an upload or by entering one of the "
            "flows, or updated. What a flow itself changes does not start it again. `entry.` is "
            "the data that came with the record, if any."
        ),
        {
            "participant": "`created`, or `updated`: a field changed, or the status.",
            "field": "For `updated`: only if this field changed.",
            "on_upload": "For `created`: `always` enters at every upload, not only at the first.",
            "where": "A condition, which may read `participant.`.",
        },
        (
            "- {participant: created, on_upload: always}\n"
            "- {participant: updated, field: size, where: participant.size > 5}"
        ),
    ),
    "communication": (
        (
            "A message of any flow that comes to a status. What `where` reads as `communication.` "
            "the session keeps as `entry.`: `name` of the send step, `flow`, `channel`, `status`, "
            "`id`, and what its results report."
        ),
        {
            "communication": "`updated` for any status but `planned`, `ended` for its first final one.",
            "where": "A condition on it.",
        },
        '- communication: ended\n  where: communication.name == "offer"',
    ),
    "inbound": (
        (
            "A message that the user sends to a number of the space, or in a channel. One message "
            "is claimed once: by a session that waits for its exact keyword, else by an entry with "
            "it, else by a session that waits for any words, else by an entry with `any` (R13). "
            "The session keeps as `entry.` what `where` reads as `message.`: `text`, `as_number` "
            "(if it is one), `number`, `channel`, `call` and `communication`."
        ),
        {
            "inbound": "A keyword, a list of them, or `any`. Blanks around it and case do not matter.",
            "number": "The number, or the sender's name, that the user wrote to.",
            "channel": "The channel; without a number, all that comes by it.",
            "where": "A condition on the message; one that does not match claims nothing.",
        },
        "- inbound: [JOIN, START]\n  number: 4711\n- {inbound: any, channel: sms, where: message.as_number is set}",
    ),
    "call": (
        (
            "A call of the user to a number, which belongs to one running flow (I8). It reads and "
            "keeps the same as `inbound`."
        ),
        {
            "call": "`true`.",
            "number": "The number called.",
            "channel": "Only by this channel.",
            "where": "A condition on the call.",
        },
        '- call: true\n  number: "+4930555"',
    ),
    "incoming": (
        (
            "Whatever the user sends by a channel, messages and calls, to any number; it claims "
            "like `inbound: any`. It reads and keeps the same as `inbound`."
        ),
        {"incoming": "The channel.", "where": "A condition on the message or call."},
        "- incoming: sms",
    ),
}
