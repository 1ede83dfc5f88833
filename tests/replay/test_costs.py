"""The cost of messages in a replay: parts and money, by step and for the flow (I25, I26)."""

from __future__ import annotations

import json
from pathlib import Path

from tests.replay import kit
from tests.replay.kit import START, Record
from transforms import metrics
from transforms.wire.rows import from_row

FOLDER = Path(__file__).parents[1] / "scenarios" / "channels"
PEOPLE = {
    "kim": {"name": "Kim", "email": "kim@example.com", "phone": "+491511"},
    "lu": {"name": "Łukasz", "phone": "+15550100"},
    "ann": {"name": "Ann", "phone": "+3361234"},
}


def _lines(event: str) -> list[Record]:
    found: list[Record] = []
    for number, (user, traits) in enumerate(PEOPLE.items()):
        known = {"type": "identify", "messageId": f"i{number}", "userId": user}
        found.append({**known, "timestamp": START, "traits": traits})
        said = {"parcel": "DE-4711", "id": user}
        found.append(kit.track(number, user, event, START + 1000, properties=said))
    return found


def _reports(number: int, call: Record, *reports: tuple[float, str]) -> list[Record]:
    return [
        {
            "type": "communication",
            "messageId": f"c{number}{status}",
            "userId": call["user"],
            "timestamp": START + 60_000 + int(cost * 1000),
            "communication": call["communication"],
            "status": status,
            "data": {"cost": cost, "duration": 30, "digits": "1"},
        }
        for cost, status in reports
    ]


def _report(tmp_path: Path, flow: str, lines: list[Record]) -> tuple[Path, Record]:
    out = tmp_path / f"{flow}{len(lines)}"
    events = kit.write_lines(tmp_path / f"{flow}.jsonl", lines)
    path = str(FOLDER / f"{flow}.yaml")
    done = kit.replay(out, events, flow=path, more=("--json",))
    assert done.code == 0, done.err
    told: Record = json.loads(done.out)["flows"][0]
    return out, told


def test_recipients_messages_parts_and_cost(tmp_path: Path) -> None:
    """I26: a replay sums recipients, messages, parts and cost by country, for steps and the flow."""
    _, flow = _report(tmp_path, "parcel", _lines("Shipped"))
    steps = {step["step"]: step for step in flow["steps"]}

    assert (flow["recipients"], flow["messages"], flow["parts"]) == (3, 8, 13)
    assert (steps["whole"]["messages"], steps["whole"]["parts"]) == (3, 7)
    assert (steps["short"]["messages"], steps["short"]["parts"]) == (3, 4)
    assert (steps["mail"]["messages"], steps["mail"]["parts"]) == (1, 1)
    assert steps["whole"]["cost"] == 0.27
    assert flow["cost"] == 0.411
    assert flow["reported_cost"] == 0


def test_the_text_report_shows_parts_and_cost(tmp_path: Path) -> None:
    """I25, I26: the text report has columns of parts and cost if there are any."""
    events = kit.write_lines(tmp_path / "parcel.jsonl", _lines("Shipped"))
    done = kit.replay(tmp_path / "out", events, flow=str(FOLDER / "parcel.yaml"))

    assert "  messages    8 would be sent to 3 users, in 13 parts\n" in done.out
    assert "  cost        0.41 by price list\n" in done.out
    assert "  step   reached  users  waiting  messages  parts  cost" in done.out
    assert "  whole        3      3        .         3      7  0.27  100% of entries\n" in done.out


def test_reported_costs_are_summed_separately(tmp_path: Path) -> None:
    """I26, I32: the reported cost of a call is its cost; a later report adds only the increase."""
    lines = _lines("Booked")
    out, _ = _report(tmp_path, "call", lines)
    for number, call in enumerate(r for r in kit.rows(out, "message") if r["step"] == "ring"):
        lines += _reports(number, call, (0.2, "sent"), (0.85, "completed"))
    out, flow = _report(tmp_path, "call", lines)

    assert (flow["cost"], flow["reported_cost"]) == (0.36, 2.55)
    counted: metrics.Counts = {}
    for row in kit.rows(out, "communication"):
        metrics.add(counted, from_row("communication", row))  # type: ignore[arg-type]
    flows = [row for row in metrics.rows(counted) if isinstance(row, metrics.FlowMetric)]
    days = {row.metric: row.value for row in flows if row.window == "day"}
    assert days == {"parts": 3, "cost": 0.36, "reported_cost": 2.55}
    tables = [r for r in kit.rows(out, "flow_metric") if r["window"] == "day"]
    assert {r["metric"]: r["value"] for r in tables if r["metric"] in days} == days


def test_revenue_is_exact(tmp_path: Path) -> None:
    """The sums of amounts by SQL equal those counted row by row: each is rounded once, to whole
    ten-thousandths (R25).
    """
    amounts = [0.1, 0.2, 0.1, 20.5, -3, 0.00005, 0.00015, 1e25, "none", None]
    lines = []
    for number, amount in enumerate(amounts):
        user = f"u{number}"
        bought = {"properties": {"amount": amount}}
        lines.append(kit.track(2 * number, user, "Signup", START, properties={}))
        lines.append(kit.track(2 * number + 1, user, "Purchase", START + 1000, **bought))
    out = tmp_path / "out"
    assert kit.replay(out, kit.write_lines(tmp_path / "events.jsonl", lines)).code == 0

    counted: metrics.Counts = {}
    for row in kit.rows(out, "conversion"):
        metrics.add(counted, from_row("conversion", row))  # type: ignore[arg-type]
    wanted = {
        (row.window, row.metric, row.value)
        for row in metrics.rows(counted)
        if isinstance(row, metrics.FlowMetric) and "revenue" in row.metric
    }
    found = {(r["window"], r["metric"], r["value"]) for r in kit.rows(out, "flow_metric")}
    assert {row for row in found if "revenue" in row[1]} == wanted
    assert len(wanted) >= len(metrics.WINDOWS)
