"""The report of a replay for the eye: aligned columns, nothing wider than a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from towpath.reports.funnel import Counts, Flow, Goal, Report
from transforms.flows.clock.zones import iso

Paint = Callable[[str, str], str]

SUPPRESSED = "suppressed"


def plain(text: str, style: str) -> str:
    """Leave a text as it is."""
    return text


def to_text(report: Report, paint: Paint = plain) -> str:
    """Write the report; ``paint`` puts a style around a text."""
    parts = [_flow(flow, paint) for flow in report.flows]
    return "\n\n".join([*parts, _notes(report, paint)]) + "\n"


def _flow(flow: Flow, paint: Paint) -> str:
    lines = [paint(flow.flow, "bold") + _span(flow), *_entered(flow), ""]
    lines += _table(flow, paint)
    lines.append("")
    lines += [
        line for line in (_counts("ended", flow.exits), _counts("refused", flow.refused)) if line
    ]
    for goal in flow.goals:
        lines += _goal(flow, goal)
    return "\n".join(lines)


def _span(flow: Flow) -> str:
    if flow.first is None or flow.last is None:
        return "  nobody entered"
    return f"  entries from {iso(flow.first)[:10]} to {iso(flow.last)[:10]}"


def _entered(flow: Flow) -> list[str]:
    if not flow.entered:
        return []
    apart = f", {flow.holdout:,} of the sessions in the holdout" if flow.holdout else ""
    lines = [f"  entered     {flow.entered:,} by {_users(flow.users)}{apart}"]
    if flow.messages:
        parts = f", in {flow.parts:,} parts" if flow.parts > flow.messages else ""
        lines.append(
            f"  messages    {flow.messages:,} decided, to {_users(flow.recipients)}{parts}"
        )
    costs = [(flow.cost, "by the prices"), (flow.reported_cost, "reported")]
    if any(amount for amount, _ in costs):
        told = ", ".join(f"{amount:,.2f} {how}" for amount, how in costs if amount)
        lines.append(f"  cost        {told}")
    lines.append(f"  in it now   {flow.waiting:,}")
    return lines


def _users(count: int) -> str:
    return f"{count:,} user" if count == 1 else f"{count:,} users"


def _table(flow: Flow, paint: Paint) -> list[str]:
    columns = _columns(flow)
    lines = []
    for row in zip(*columns, strict=True):
        cells = (_cell(text, column) for text, column in zip(row, columns, strict=True))
        lines.append(("  " + "  ".join(cells)).rstrip())
    return [paint(lines[0], "dim"), *lines[1:]]


def _columns(flow: Flow) -> list[list[str]]:
    """Write the columns, each with its head; what no step has is left out."""
    steps = flow.steps
    found = [
        ["step", *(s.step for s in steps)],
        ["reached", *(f"{s.reached:,}" for s in steps)],
        ["unique", *(f"{s.unique:,}" for s in steps)],
        ["waiting", *(_some(s.waiting) for s in steps)],
        ["decided", *(_some(s.messages) for s in steps)],
    ]
    if flow.parts > flow.messages:
        found.append(["parts", *(_some(s.parts) for s in steps)])
    if flow.cost:
        found.append(["cost", *(f"{s.cost:,.2f}" if s.cost else "." for s in steps)])
    if flow.suppressed:
        found.append([SUPPRESSED, *(_listed(s.suppressed) for s in steps)])
    return found


def _cell(text: str, column: Sequence[str]) -> str:
    width = max(map(len, column))
    return text.ljust(width) if column[0] in ("step", SUPPRESSED) else text.rjust(width)


def _some(count: int) -> str:
    return f"{count:,}" if count else "."


def _listed(counts: Counts) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.items())


def _counts(name: str, counts: Counts) -> str:
    return f"  {name:<11} {_listed(counts)}" if counts else ""


def _goal(flow: Flow, goal: Goal) -> list[str]:
    outside = flow.entered - flow.holdout
    said = f"{goal.converted:,} of {outside:,} sessions, {goal.rate:.1%}"
    worth = f", worth {goal.revenue:,.2f}" if goal.revenue else ""
    lines = [f"  goal        {goal.goal}: {said}{worth}"]
    found = goal.lift
    if found is not None:
        lines.append(
            f"  lift        {found.difference * 100:+.1f} points of users: {found.treated:.1%} with the "
            f"flow, {found.holdout:.1%} in the holdout"
        )
        sure = "leaves out" if found.excludes_zero else "holds"
        lines.append(
            f"              95 % confidence from {found.low * 100:+.1f} to {found.high * 100:+.1f}, "
            f"which {sure} 0"
        )
    return lines


def _notes(report: Report, paint: Paint) -> str:
    past = f", {report.after:,} past the end" if report.after else ""
    unread = f", {report.unread:,} that no flow reads" if report.unread else ""
    bad = f", {report.bad:,} that could not be used" if report.bad else ""
    records = "record" if report.read == 1 else "records"
    lines = [f"{report.read:,} {records} of {_users(report.users)}{unread}{past}{bad}."]
    if report.refused:
        lines.append(f"Refused, for no flow of these: {_listed(report.refused)}.")
    if report.rates is None and report.audit:
        lines += [
            "Decided again, as the events came: nothing was sent now. What users did counts as it is",
            "in the events; deliveries, opens and clicks that are not in them time out.",
        ]
    elif report.rates is None:
        lines += [
            "Decided, not delivered: nobody got these messages, so what users did after them is what",
            "they did anyway, a lift is chance, and waits for deliveries, opens or clicks time out.",
        ]
    else:
        rates = "; ".join(
            f"{channel} " + ", ".join(f"{status} {rate:g} %" for status, rate in found.items())
            for channel, found in report.rates.items()
        )
        lines.append(f"Assumed, not known: {rates}.")
    if report.calls and not report.audit:
        lines.append(f"Requests asked for: {report.calls:,}. None was sent, so none was answered.")
    return "\n".join(paint(line, "dim") for line in lines)
