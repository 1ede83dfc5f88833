"""Hypothesis strategies for expressions and views: every node of the language, values of all types."""

from __future__ import annotations

from hypothesis import strategies as st

from transforms.flows.clock.delays import parse_delay
from transforms.flows.clock.zones import DAY, find_zone, iso, parse_instant, utc
from transforms.flows.expressions.reads import reads_of
from transforms.flows.expressions.syntax import ast
from transforms.flows.expressions.syntax.operators import COMPARISONS, PARTS, SPANS, TESTS
from transforms.flows.expressions.view import FlowFacts, View
from transforms.flows.state.series import add
from transforms.flows.state.stored import Series

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "America/St_Johns"]
HOUR = 3_600_000
# Around changes of the clock (in 2006 that of St. John's went back across midnight), a leap day,
# and the turn of a year.
ANCHORS = [
    parse_instant(day, utc())
    for day in (
        "2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01", "2006-10-29T02:30", "2028-02-29",
        "2027-01-03", "2026-07-01",
    )
]  # fmt: skip

names = st.sampled_from(["total", "city", "a b", "in", "not", "time", "id", "$x", "größe", 'q"q'])
texts = st.text(st.sampled_from("aB1 \\\"'\nntd.é"), max_size=6) | st.sampled_from(
    [".", "(", ")", "[", "and", "entry", "where", "is", "==", "90d", "true"]
)
numbers = st.integers(-(10**6), 10**6) | st.sampled_from([0.5, 1.25, 0.000001, -3.75])
literals = st.one_of(texts.map(ast.Text), numbers.map(ast.Number), st.booleans().map(ast.Flag))
delays = st.sampled_from(["90s", "30m", "36h", "3d", "2w", "1mo", "1y"]).map(parse_delay)
windows = st.sampled_from(["90s", "36h", "3d", "30d"]).map(parse_delay)
day_delays = st.sampled_from(["1d", "3d", "2w", "366d"]).map(parse_delay)


def paths(roots):
    return st.builds(
        ast.Path,
        st.sampled_from(roots),
        st.builds(
            lambda first, rest: (first, *rest),
            names,
            st.lists(names | st.integers(0, 3), max_size=2),
        ),
    )


OUTSIDE = ["event", "entry", "user", "participant", "session", "communication", "message"]

leaves = st.one_of(
    literals,
    st.lists(literals, max_size=3).map(lambda items: ast.Items(tuple(items))),
    paths(OUTSIDE),
    st.builds(lambda step, field: ast.Path("communications", (step, field)), names, names),
    st.sampled_from(
        ["event.time", "session.id", "session.started", "visit.count", "visit.last"]
    ).map(ast.Fact),
    st.builds(ast.FlowFact, names, st.sampled_from(["in", "step", "times"])),
    st.builds(ast.Member, names, st.booleans()),
    names.map(ast.Tagged),
    names.map(ast.Consent),
)


def values_over(leaf):
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.builds(ast.Part, st.sampled_from(sorted(PARTS)), inner),
            st.builds(ast.Arithmetic, st.sampled_from("+-*/"), inner, inner),
        ),
        max_leaves=4,
    )


def _compare(operator, values):
    match operator.right:
        case "pattern":
            right = st.sampled_from(["^a", r"\d+$", "x|y"]).map(ast.Text)
        case "list":
            right = st.lists(literals, max_size=3).map(lambda items: ast.Items(tuple(items)))
        case _:
            right = values
    return st.builds(ast.Compare, st.just(operator.name), values, right)


def decisions_over(values, *, moving=True):
    compare = st.sampled_from(COMPARISONS).flatmap(lambda operator: _compare(operator, values))
    tests = [t.name for t in TESTS if moving or t.name not in ("is today", "is anniversary")]
    found = [
        compare,
        st.builds(ast.Between, st.sampled_from(["between", "not between"]), values, values, values),
        st.builds(ast.Test, st.sampled_from(tests), values),
    ]
    if moving:
        exact = [o.name for o in SPANS if o.right == "delay"]
        whole = [o.name for o in SPANS if o.right == "days"]
        found += [
            st.builds(ast.Span, st.sampled_from(exact), values, delays),
            st.builds(ast.Span, st.sampled_from(whole), values, day_delays),
        ]
    return st.one_of(found)


def _joined(kind, terms):
    flat = tuple(
        part for term in terms for part in (term.terms if isinstance(term, kind) else (term,))
    )
    return kind(flat)


def conditions_over(decisions):
    return st.recursive(
        decisions,
        lambda inner: st.one_of(
            inner.map(ast.Not),
            st.lists(inner, min_size=2, max_size=3).map(lambda terms: _joined(ast.And, terms)),
            st.lists(inner, min_size=2, max_size=3).map(lambda terms: _joined(ast.Or, terms)),
        ),
        max_leaves=4,
    )


event_values = values_over(literals | paths(["event"]))
event_conditions = conditions_over(decisions_over(event_values, moving=False) | paths(["event"]))
message_conditions = conditions_over(
    decisions_over(values_over(literals | paths(["message"])), moving=False) | paths(["message"])
)


def calculated():
    where = st.none() | event_conditions
    since = st.none() | st.just("entry") | windows
    events = st.sampled_from(["Order Completed", 'The "X"'])
    return st.one_of(
        st.builds(
            ast.Calculated,
            st.sampled_from(["count", "first", "last"]),
            events,
            st.none(),
            where,
            since,
        ),
        st.builds(
            ast.Calculated,
            st.sampled_from(["count", "first", "last"]),
            st.none(),
            st.none(),
            st.none() | message_conditions,
            since,
        ),
        st.builds(
            ast.Calculated,
            st.sampled_from(["sum", "min", "max", "average"]),
            events,
            event_values,
            where,
            since,
        ),
    )


values = st.deferred(lambda: values_over(leaves | calculated()))
nows = st.builds(
    ast.Compare,
    st.sampled_from(["before", "until", "since", "after", "on"]),
    st.just(ast.Now()),
    values,
) | st.builds(
    ast.Compare,
    st.just("=="),
    st.builds(
        ast.Part, st.sampled_from(["hour", "day", "weekday", "month", "year"]), st.just(ast.Now())
    ),
    values,
)
quantified = st.builds(
    ast.Quantified,
    st.sampled_from(["any", "all"]),
    paths(["event", "user"]),
    decisions_over(
        values_over(
            literals | st.just(ast.Path("item", ())) | names.map(lambda n: ast.Path("item", (n,)))
        )
    ),
)
bare = paths(OUTSIDE) | names.map(ast.Tagged) | names.map(ast.Consent)
conditions = st.deferred(
    lambda: conditions_over(st.one_of(decisions_over(values), nows, quantified, bare))
)

# --- moving conditions over few names, and views that make them true as often as false -------

dated = st.one_of(
    st.just(ast.Path("user", ("when",))),
    st.just(ast.Path("user", ("born",))),
    st.just(ast.Member("vip", True)),
    st.builds(
        ast.Calculated,
        st.sampled_from(["first", "last"]),
        st.just("X"),
        st.none(),
        st.none(),
        st.none() | windows,
    ),
)
_counts = st.builds(
    ast.Calculated,
    st.sampled_from(["count", "sum", "min", "max", "average"]),
    st.just("X"),
    st.just(ast.Path("event", ("total",))),
    st.none(),
    windows,
).map(
    lambda node: (
        ast.Calculated("count", "X", None, None, node.since) if node.function == "count" else node
    )
)
_exact = [o.name for o in SPANS if o.right == "delay"]
_whole = [o.name for o in SPANS if o.right == "days"]
moving = conditions_over(
    st.one_of(
        st.builds(ast.Span, st.sampled_from(_exact), dated, delays),
        st.builds(ast.Span, st.sampled_from(_whole), dated, day_delays),
        st.builds(ast.Test, st.sampled_from(["is today", "is anniversary"]), dated),
        st.builds(
            ast.Compare,
            st.sampled_from(["before", "until", "since", "after", "on"]),
            st.just(ast.Now()),
            dated,
        ),
        st.builds(
            ast.Compare,
            st.sampled_from(["before", "until", "since", "after", "on"]),
            dated,
            st.just(ast.Now()),
        ),
        st.builds(
            ast.Compare,
            st.sampled_from([">=", "==", "<"]),
            _counts,
            st.integers(0, 4).map(ast.Number),
        ),
        st.builds(
            ast.Compare,
            st.sampled_from(["==", "!="]),
            st.builds(
                ast.Part, st.sampled_from(["hour", "day", "month", "year"]), st.just(ast.Now())
            ),
            st.integers(0, 23).map(ast.Number),
        ),
        st.builds(
            ast.Quantified,
            st.sampled_from(["any", "all"]),
            st.just(ast.Path("user", ("dates",))),
            st.builds(ast.Span, st.sampled_from(_exact), st.just(ast.Path("item", ())), delays),
        ),
    )
)


def outside(flow):
    return FlowFacts(False, None, 0)


def view(now=ANCHORS[-1], **values):
    made = View(utc(), {}, (), {}, {}, outside, consents=lambda name: name == "email")
    for name, value in {"now": now, **values}.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


def series_for(expr, times_and_values):
    """Return the series that an expression's aggregates read, after these events."""
    found = {}
    for aggregate in reads_of(expr).aggregates:
        series = found[aggregate.key] = Series()
        for t, value in times_and_values:
            add(series, t, value if aggregate.value else None, 40 * DAY)
    return found


@st.composite
def situations(draw):
    """Generate (now, keyword arguments of a view, events before now)."""
    near = st.integers(-45 * DAY, 45 * DAY) | st.integers(-3 * HOUR, 3 * HOUR)
    now = draw(st.sampled_from(ANCHORS)) + draw(st.integers(-30 * HOUR, 30 * HOUR))
    when = now + draw(near)
    traits = {
        "when": draw(st.sampled_from([iso(when), iso(when)[:10], when])),
        "born": draw(st.sampled_from(["1990-12-25", "1988-02-29", "1990-03-01", iso(when)[:10]])),
        "dates": [iso(now + ahead) for ahead in draw(st.lists(near, max_size=3))],
    }
    events = [(now - back, value) for back, value in draw(
        st.lists(st.tuples(st.integers(0, 40 * DAY), st.integers(-5, 5)), max_size=6)
    )]  # fmt: skip
    where = find_zone(draw(st.sampled_from(ZONES)))
    joined = now - draw(st.integers(0, 40 * DAY))
    return now, {"zone": where, "traits": traits, "audiences": {"vip": joined}}, events
