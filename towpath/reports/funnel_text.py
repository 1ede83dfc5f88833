"""The report of a replay as text: aligned columns that fit a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from towpath.reports.funnel import Counts, Flow, Goal, Report, Step
from transforms.flows.clock.zones import iso
from transforms.flows.protocol.reason_codes import REFUSED

MOST_SOURCES = 3
Paint = Callable[[str, str], str]

SUPPRESSED = "suppressed"
WORDS = ("step", "from", "split", "variant", SUPPRESSED)
"""The columns that are aligned to the left."""

NOTED = frozenset({"future_time", "type_mismatch"})
"""Reason codes of signals that were handled all the same."""


def plain(text: str, style: str) -> str:
    """Return the text without style."""
    return text


def to_text(report: Report, paint: Paint = plain) -> str:
    """Format the report; ``paint`` applies a style to a text."""
    name = f"{report.run}, " if report.run else ""
    parts = [paint(f"{name}until {iso(report.until)[:10]}", "dim")]
    parts += [_flow(flow, paint) for flow in report.flows]
    return "\n\n".join([*parts, _notes(report, paint)]) + "\n"


def _flow(flow: Flow, paint: Paint) -> str:
    lines = [paint(flow.flow, "bold") + _span(flow), *_entered(flow), ""]
    lines += _aligned(_columns(flow), paint)
    lines.append("")
    if flow.splits:
        lines += [*_aligned(_variants(flow), paint), ""]
    lines += [
        line for line in (_counts("ended", flow.exits), _counts("refused", flow.refused)) if line
    ]
    for goal in flow.goals:
        lines += _goal(flow, goal)
    return "\n".join(lines)


def _span(flow: Flow) -> str:
    if flow.first is None or flow.last is None:
        return "  no entries"
    return f"  entries from {iso(flow.first)[:10]} to {iso(flow.last)[:10]}"


def _entered(flow: Flow) -> list[str]:
    if not flow.entered:
        return []
    holdout = f", {_counted(flow.holdout, 'session')} in the holdout" if flow.holdout else ""
    lines = [f"  entered     {_counted(flow.entered, 'session')} of {_users(flow.users)}{holdout}"]
    if flow.messages:
        parts = f", in {flow.parts:,} parts" if flow.parts > flow.messages else ""
        lines.append(
            f"  messages    {flow.messages:,} would be sent to {_users(flow.recipients)}{parts}"
        )
    costs = [(flow.cost, "by price list"), (flow.reported_cost, "reported")]
    if any(amount for amount, _ in costs):
        text = ", ".join(f"{amount:,.2f} {how}" for amount, how in costs if amount)
        lines.append(f"  cost        {text}")
    lines.append(f"  active      {_counted(flow.waiting, 'session')}")
    return lines


def _users(count: int) -> str:
    return _counted(count, "user")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _aligned(columns: list[list[str]], paint: Paint) -> list[str]:
    lines = []
    for row in zip(*columns, strict=True):
        cells = (_cell(text, column) for text, column in zip(row, columns, strict=True))
        lines.append(("  " + "  ".join(cells)).rstrip())
    return [paint(lines[0], "dim"), *lines[1:]]


def _columns(flow: Flow) -> list[list[str]]:
    """Build the columns, each with its heading; columns without any value are left out."""
    steps = flow.steps
    found = [
        ["step", *(s.step for s in steps)],
        ["reached", *(f"{s.reached:,}" for s in steps)],
        ["users", *(f"{s.unique:,}" for s in steps)],
        ["waiting", *(_some(s.waiting) for s in steps)],
        ["messages", *(_some(s.messages) for s in steps)],
    ]
    if flow.parts > flow.messages:
        found.append(["parts", *(_some(s.parts) for s in steps)])
    if flow.cost:
        found.append(["cost", *(f"{s.cost:,.2f}" if s.cost else "." for s in steps)])
    found.append(["from", *(_sources(flow, s) for s in steps)])
    if flow.suppressed:
        found.append([SUPPRESSED, *(_listed(s.suppressed) for s in steps)])
    return found


def _sources(flow: Flow, step: Step) -> str:
    """Return which share of the sessions at each earlier step came to this one."""
    return ", ".join(shares(flow, step)[:MOST_SOURCES]) or "."


def shares(flow: Flow, step: Step) -> list[str]:
    """Return the shares of a step's sources, the largest number of sessions first."""
    reached = {one.step: one.reached for one in flow.steps}
    found = []
    for source, count in step.sources.items():
        whole = reached.get(source, 0) if source else flow.entered
        if whole:
            found.append(f"{percent(count / whole)} of {source or 'entries'}")
    return found


def percent(share: float) -> str:
    """Write a share as a whole percentage, without rounding anything to 0 or 100."""
    if 0 < share < 0.01:
        return "<1%"
    return ">99%" if 0.99 < share < 1 else f"{share:.0%}"


def _variants(flow: Flow) -> list[list[str]]:
    """Build the columns of the variants, side by side for each split."""
    rows = [
        (split.step, number, v) for split in flow.splits for number, v in enumerate(split.variants)
    ]
    found = [
        ["split", *("" if number else step for step, number, _ in rows)],
        ["variant", *(v.variant for _, _, v in rows)],
        ["sessions", *(f"{v.sessions:,}" for _, _, v in rows)],
        ["users", *(f"{v.users:,}" for _, _, v in rows)],
        ["messages", *(_some(v.messages) for _, _, v in rows)],
    ]
    if any(v.holdout for _, _, v in rows):
        found.append(["holdout", *(_some(v.holdout) for _, _, v in rows)])
    for goal in flow.goals:
        counts = [(v.goals.get(goal.goal, 0), v.sessions) for _, _, v in rows]
        found.append([goal.goal, *(f"{n:,}, {n / whole:.1%}" for n, whole in counts)])
    return found


def _cell(text: str, column: Sequence[str]) -> str:
    width = max(map(len, column))
    return text.ljust(width) if column[0] in WORDS else text.rjust(width)


def _some(count: int) -> str:
    return f"{count:,}" if count else "."


def _listed(counts: Counts) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.items())


def _counts(name: str, counts: Counts) -> str:
    return f"  {name:<11} {_listed(counts)}" if counts else ""


def _goal(flow: Flow, goal: Goal) -> list[str]:
    outside = flow.entered - flow.holdout
    count = f"{goal.converted:,} of {outside:,} sessions, {goal.rate:.1%}"
    value = f", value {goal.revenue:,.2f}" if goal.revenue else ""
    lines = [f"  goal        {goal.goal}: {count}{value}"]
    lines.append(f"              {goal.users:,} of {_users(flow.treated)}, {goal.user_rate:.1%}")
    if goal.baseline is not None:
        lines.append(
            f"  baseline    {goal.baseline:.1%} of users reach it without a message: "
            f"{goal.baseline_users:,} of {flow.users:,}"
        )
    if goal.detectable:
        lines.append(
            f"  detectable  a lift of {goal.detectable * 100:.1f} percentage points, "
            "in a live run with as many users"
        )
    found = goal.lift
    if found is not None:
        points = f"  lift        {found.difference * 100:+.1f} percentage points"
        arms = f"{found.treated:.1%} of users with the flow, {found.holdout:.1%} in the holdout"
        if goal.assumed is None:
            lines.append(f"{points}: {arms}")
        else:
            lines += [f"{points}, by the assumed effect:", f"              {arms}"]
        zero = "does not include" if found.excludes_zero else "includes"
        lines.append(
            f"              95 % confidence interval {found.low * 100:+.1f} to {found.high * 100:+.1f}, "
            f"{zero} 0"
        )
    return lines


def _notes(report: Report, paint: Paint) -> str:
    past = f", {report.after:,} after the end" if report.after else ""
    unread = f", {report.unread:,} not used by any flow" if report.unread else ""
    bad = f", {report.bad:,} rejected" if report.bad else ""
    records = _counted(report.read, "record")
    lines = [f"{records} of {_users(report.users)}{unread}{past}{bad}."]
    refused = {code: n for code, n in report.refused.items() if code not in NOTED}
    if refused:
        lines.append(f"Refused without a flow: {_listed(refused)}.")
    noted = sorted(report.refused.keys() & NOTED)
    lines += [f"{code} {report.refused[code]:,}: {REFUSED[code]}." for code in noted]
    if report.rates is None and report.audit:
        lines += [
            "Audit replay, in the order of the files: nothing was sent. Waits for deliveries, opens",
            "and clicks that are not in the events time out.",
        ]
    elif report.rates is None:
        lines += [
            "Nothing was sent: goals show what users do without the messages, and waits for deliveries,",
            "opens or clicks time out.",
        ]
    else:
        rates = "; ".join(
            f"{channel} " + ", ".join(f"{status} {rate:g} %" for status, rate in found.items())
            for channel, found in report.rates.items()
        )
        lines.append(f"Nothing was sent. Assumed rates: {rates}.")
    for flow in report.flows:
        lines += [
            f"Assumed effect: {goal.assumed:g} % of the users with a message of {flow.flow} reach "
            f"{goal.goal} because of it."
            for goal in flow.goals
            if goal.assumed is not None
        ]
    if report.calls and not report.audit:
        lines.append(
            f"{_counted(report.calls, 'HTTP request')} not sent; waits for their responses time out."
        )
    return "\n".join(paint(line, "dim") for line in lines)
