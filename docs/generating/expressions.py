"""The page about expressions: names, operators by type, parts and functions."""

from __future__ import annotations

from docs.generating import markdown
from transforms.flows.expressions.syntax.operators import (
    ALL,
    FUNCTIONS,
    MOVING,
    OPERATORS,
    PARTS,
    Operator,
)

INTRO = """
Conditions and values are expressions. They stand in a file as they are:
`where: event.total >= 20 and user.plan == "free"`. Texts stand in quotes, so a text alone has two
pairs of them: `to: '"pro"'`. Within `{ }` an expression with a comma, a bracket or a brace goes
into quotes as a whole.

`not` binds closest, then `and`, then `or`; parentheses group. Numbers add up with `+ - * /`.
An expression has at most 4,096 characters and is at most 64 levels deep.
"""

NAMES = (
    ("`event.total`", "a property of the event at hand", "`where`, `value` of a goal"),
    ("`event.time`", "its own time", "as above"),
    ("`entry.total`", "a property of the event or record that the session began with", "in a session"),
    ("`user.plan`", "a trait of the user", "everywhere but inside of aggregates"),
    ("`tag.vip`", "whether the user has a tag", "as above"),
    ("`audience.vip`, `audience.vip.since`", "whether, and since when, the user is in an audience", "as above"),
    ("`visit.count`, `.started`, `.last`, `.events`", "the user's visits so far; of the newest its first and last event, and how many", "as above"),
    ("`flow.cart.in`, `.step`, `.times`", "whether the user is in a flow, at which step, how often they entered", "as above"),
    ("`session.value`", "a variable of the session, set by an `update` step", "in a session"),
    ("`session.id`, `session.started`", "its id, and when it began", "in a session"),
    ("`communications.offer.status`", "of the newest message of a send step: `status`, `channel`, `sent_at`, the time of each status by its name, and what was reported with it, such as `reply`, `digits`, `choice`, `duration`, `cost`", "in a session"),
    ("`message.text`", "what the user sent to the session last, or sends now: `text` without blanks around it, `as_number` (missing unless the text is a number), `number`, `channel`, `call`, and `communication`, the id of the message that it answers", "in a session; where a trigger or a case hears messages"),
    ("`participant.size`, `participant.status`", "a field of the participant, or its status", "everywhere in flows of a campaign, but inside of aggregates"),
    ("`item.price`", "the item at hand", "inside of `any( )` and `all( )`"),
    ("`now`", "the time at which the signal is handled", "everywhere but inside of aggregates"),
)  # fmt: skip

AGGREGATES = """
`count(event "Order Completed" where event.total > 10 within last 90d)`,
`sum(event.total of event "Order Completed")`, `last(event "Order Completed")`. The period is
`within last DURATION` (exact, at most 400 days), `since entry`, or without either all time.
The condition reads the counted event only.

Events count at their own time. A series begins with the first definition that reads it: what was
before the flow was published is not known. Values are kept as whole ten-thousandths, so a sum is
exact to four decimals. The newest 500 events of a user and series within the longest period are
kept one by one; older ones are merged by day (UTC) and stand at the day's start, so that a period
may then begin up to a day off.
"""

MISSING = """
A missing value makes every comparison false; only `is not set` and `is empty` are true of it.
`not` turns the result around, so `not user.plan == "pro"` is true of a user without a plan, and
`towpath check` warns of it. A value of another type than the operator takes makes the comparison
false too, and is told as `type_mismatch`, once a signal with the count.

`any(event.items where item.price > 10)` and `all(...)` judge the items of a list; `all` of an
empty list is false.

`!=`, `not in`, `not contains` and so on are comparisons: of a missing value they are false.
"""

TIME = """
Those marked "by time" change by time alone: a session, an audience or an exit rule that reads
one is looked at again at the instant at which the result changes, without an event.

Dates are texts (`2026-12-24`, the day's start in the user's zone, or `2026-12-24T18:00:00Z`) or
numbers of milliseconds since 1970 (from 100,000,000,000 on: smaller numbers are no dates). They
are compared by words: `before`, `after`, not `<`. A duration counts half open: an event at *t* is
`within last 2d` until just before *t* + 2 days.

The anniversary of February 29 is February 28 in years that are no leap years.
"""


def page() -> str:
    """Write the page."""
    return markdown.page(
        "Expressions",
        INTRO,
        "## Names",
        markdown.table(("name", "is", "where"), NAMES),
        'A name with other signs stands in brackets: `event["Order Id"]`, `event.items[0].price`.',
        "## Missing values and types",
        MISSING,
        "## Operators",
        markdown.table(("operator", "left", "right", "the left value", ""), map(_row, OPERATORS.values())),
        TIME,
        "## Operators by type",
        markdown.table(("type", "operators"), map(_by_type, ALL)),
        "## Parts of values",
        markdown.table(
            ("written", "of", "gives", "is"),
            ((f"`{name} of x`", " or ".join(left), kind, about) for name, (left, kind, about) in PARTS.items()),
        ),
        "## Aggregates",
        markdown.table(
            ("function", "gives", "is"),
            ((f"`{name}`", kind, about) for name, (kind, about) in FUNCTIONS.items()),
        ),
        AGGREGATES,
    )  # fmt: skip


RIGHT = {
    "same": "a value of the same type",
    "text": "a text",
    "pattern": "an RE2 pattern in quotes, at most 256 characters",
    "list": "a list",
    "member": "an item of the list, or a part of the text",
    "date": "a date",
    "pair": "two values: `10 and 20`",
    "delay": "a duration, in place of `_`",
    "days": "a number of days, in place of `_`",
    "": "",
}


def _row(operator: Operator) -> tuple[str, ...]:
    clock = "by time" if operator.name in MOVING else ""
    return (
        f"`{operator.name}`",
        ", ".join(operator.left),
        RIGHT[operator.right],
        operator.about,
        clock,
    )


def _by_type(kind: str) -> tuple[str, str]:
    fitting = [f"`{o.name}`" for o in OPERATORS.values() if kind in o.left]
    return kind, " ".join(fitting)
