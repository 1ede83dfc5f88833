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
Conditions and values are expressions, written directly into the file:
`where: event.total >= 20 and user.plan == "free"`. Texts are in double quotes, so a single text
needs YAML quotes around them: `to: '"pro"'`. Within `{ }`, put an expression with a comma, bracket
or brace into YAML quotes.

`not` binds most tightly, then `and`, then `or`; use parentheses to group. Arithmetic operators are
`+ - * /`. An expression may have 4,096 characters and 64 levels.
"""

NAMES = (
    ("`event.total`", "a property of the current event", "`where`, `value` of a goal"),
    ("`event.time`", "its event time", "as above"),
    ("`entry.total`", "a property of the event or record that started the session", "in a session"),
    ("`user.plan`", "a trait of the user", "everywhere except inside aggregates"),
    ("`tag.vip`", "whether the user has a tag", "as above"),
    ("`audience.vip`, `audience.vip.since`", "whether and since when the user is in an audience", "as above"),
    ('`consent.email`, `consent.news`, `consent["email:news"]`', "whether the user may be sent messages of a channel, of a topic on at least one channel, or of the topic on the channel: the setting of the user, or the default of the topic", "as above"),
    ("`visit.count`, `.started`, `.last`, `.events`", "the number of visits; start, last event and number of events of the latest visit", "as above"),
    ("`flow.cart.in`, `.step`, `.times`", "whether the user is in a flow, at which step, and the number of entries", "as above"),
    ("`session.value`", "a session variable, set by an `update` step", "in a session"),
    ("`session.id`, `session.started`", "the id and the start of the session", "in a session"),
    ("`communications.offer.status`", "the latest message of a send step: `status`, `channel`, `sent_at`, the time of each status by its name, and values of delivery reports such as `reply`, `digits`, `choice`, `duration`, `cost`", "in a session"),
    ("`message.text`", "the user's latest message to the session, or the current one: `text` without surrounding white space, `as_number` (missing unless the text is a number), `number`, `channel`, `call`, and `communication`, the id of the message that it answers", "in a session; in triggers and cases for messages"),
    ("`participant.size`, `participant.status`", "a field of the participant, or its status", "everywhere in flows of a campaign, except inside aggregates"),
    ("`item.price`", "the current item", "inside `any( )` and `all( )`"),
    ("`now`", "the handling time", "everywhere except inside aggregates"),
)  # fmt: skip

AGGREGATES = """
`count(event "Order Completed" where event.total > 10 within last 90d)`,
`sum(event.total of event "Order Completed")`, `last(event "Order Completed")`. The period is
`within last DURATION` (exact, at most 400 days), `since entry`, or all time if neither is given.
The condition can read only the counted event.

`count`, `first` and `last` also take the messages that left to the user, of all flows:
`last(message) within last 7d`, `count(message where message.channel == "email" within last 7d)`.
Their condition can read `message.flow`, `.step`, `.channel`, `.topic` and `.template`. A message on a
further channel counts again; messages of sessions in a holdout do not leave.

Events count at their event time. Counting starts when the first definition uses the aggregate:
events from before the flow was published are not known. Values are kept as whole ten-thousandths,
so sums are exact to four decimals. For each user and aggregate, the newest 500 events within the
longest period are kept individually. Older ones are merged by day (UTC) and count at the start of
the day, so the start of a period may be off by up to a day.
"""

MISSING = """
A missing value makes every comparison false; only `is not set` and `is empty` are true.
`not` inverts the result, so `not user.plan == "pro"` is true for a user without a plan, and
`towpath check` warns about it. A value whose type does not fit the operator also makes the
comparison false, and is reported as `type_mismatch`, once per signal with the count.

`any(event.items where item.price > 10)` and `all(...)` check the items of a list; `all` of an
empty list is false.

`!=`, `not in`, `not contains` and so on are comparisons: for a missing value they are false.
"""

TIME = """
The result of operators marked "by time" can change just because time passes. A session, audience
or exit rule that uses one is evaluated again at the time of the change, without an event.

Dates are texts (`2026-12-24`, the start of the day in the user's time zone, or
`2026-12-24T18:00:00Z`) or milliseconds since 1970 (at least 100,000,000,000: smaller numbers are
not dates). They are compared with `before` and `after`, not with `<`. Periods are half open: an
event at *t* is `within last 2d` until just before *t* + 2 days.

The anniversary of February 29 is February 28 in years that are not leap years.
"""


def page() -> str:
    """Write the page."""
    return markdown.page(
        "Expressions",
        INTRO,
        "## Names",
        markdown.table(("name", "meaning", "available"), NAMES),
        'Names with other characters go into brackets: `event["Order Id"]`, `event.items[0].price`.',
        "## Missing values and types",
        MISSING,
        "## Operators",
        markdown.table(("operator", "left", "right", "the left value", ""), map(_row, OPERATORS.values())),
        TIME,
        "## Operators by type",
        markdown.table(("type", "operators"), map(_by_type, ALL)),
        "## Parts of values",
        markdown.table(
            ("syntax", "of", "type", "meaning"),
            ((f"`{name} of x`", " or ".join(left), kind, about) for name, (left, kind, about) in PARTS.items()),
        ),
        "## Aggregates",
        markdown.table(
            ("function", "type", "meaning"),
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
