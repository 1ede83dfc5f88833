"""The three sample flows by brute force: plain Python written from the semantics and flow files.

It shares no code with the project. Every condition is evaluated anew from all purchases, money
is whole cents, and times are ms UTC. A ``Tick`` orders what happens at one instant: (time,
purchases handled so far), so that what is due comes before the purchases of its time (R2).
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

DAY = 86_400_000
SPACE = "cdnow"
SENDS = {
    "win_back": ("miss_you", "offer"),
    "second_purchase": ("voucher", "picks", "last"),
    "vip": ("thanks", "early_look", "gift"),
}


class Purchase(NamedTuple):
    """One row of the file."""

    time: int
    cents: int
    id: str


class Tick(NamedTuple):
    """An instant of one user: its time, and how many purchases are handled by then."""

    time: int
    handled: int


class Session(NamedTuple):
    """Everything that one session did. ``cause`` and ``ended_by`` name a purchase, or are empty."""

    flow: str
    user: str
    entered: int
    cause: str
    silent: bool
    steps: tuple[tuple[str, int], ...]
    ended: Tick | None
    reason: str
    ended_by: str
    waits_until: int | None
    goal: Purchase | None
    variant: str = ""


class Refusal(NamedTuple):
    """A trigger that was refused (R19)."""

    flow: str
    user: str
    time: int
    reason: str
    cause: str


class Verdict(NamedTuple):
    """What ``explain`` must show for one message: decided or not, when, and why."""

    time: int
    flow: str
    step: str
    verdict: str
    reason: str
    cause: str


Found = list[Session | Refusal]
Row = dict[str, str]


# --- input -------------------------------------------------------------------------


def millis(day: str) -> int:
    """Read an ISO date as ms UTC."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000


def load(
    path: Path, until: int, id_of: Callable[[Row, int], str] | None = None
) -> dict[str, list[Purchase]]:
    """Read every user's purchases before ``until``, by time and id.

    ``id_of(row, k)`` returns the id of the k-th equal row, counted from 0; without it, purchases
    of one day keep the order of the file.
    """
    equal: Counter[tuple[str, ...]] = Counter()
    users: dict[str, list[Purchase]] = defaultdict(list)
    with gzip.open(path, "rt", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            same = tuple(row.values())
            name = id_of(row, equal[same]) if id_of else f"{number:08}"
            equal[same] += 1
            cents = int(Decimal(row["amount_usd"]) * 100)
            users[row["customer_id"]].append(Purchase(millis(row["date"]), cents, name))
    kept = {
        user: sorted((p for p in bought if p.time < until), key=lambda p: (p.time, p.id))
        for user, bought in users.items()
    }
    return {user: bought for user, bought in kept.items() if bought}


# --- the hash, the audiences -----------------------------------------------------------


def draw(*parts: str) -> int:
    """Return the random assignment, a number from 0 to 9999, by hash."""
    return int.from_bytes(blake2b("\x1f".join(parts).encode(), digest_size=8).digest()) % 10_000


def lapsed(past: list[Purchase], now: int) -> bool:
    """Return True if the last purchase is at least 60 days ago (R2)."""
    return bool(past) and now >= max(p.time for p in past) + 60 * DAY


def vip(past: list[Purchase], now: int) -> bool:
    """Return True if the purchases of the last 180 days sum up to 200."""
    return sum(p.cents for p in past if p.time <= now < p.time + 180 * DAY) >= 200_00


def before(purchases: list[Purchase], time: int) -> Tick:
    """Return the tick of what is due at a time: before that time's purchases (R2)."""
    return Tick(time, sum(p.time < time for p in purchases))


def changes(
    purchases: list[Purchase],
    until: int,
    member: Callable[[list[Purchase], int], bool],
    period: int,
) -> list[tuple[Tick, str, bool]]:
    """List the changes of an audience: tick, causing purchase or nothing, entered or left."""
    due = {before(purchases, p.time + period): "" for p in purchases if p.time + period <= until}
    bought = {Tick(p.time, n): p.id for n, p in enumerate(purchases, start=1)}
    found, was = [], False
    for tick, cause in sorted((due | bought).items()):
        now = member(purchases[: tick.handled], tick.time)
        if now != was:
            found.append((tick, cause, now))
        was = now
    return found


def first(purchases: list[Purchase], start: Tick, within: int | None = None) -> Purchase | None:
    """Return the first purchase that a session sees: after its own start (R11), within (R24)."""
    seen = purchases[start.handled :]
    return next((p for p in seen if within is None or p.time < start.time + within), None)


# --- the flows ---------------------------------------------------------------------------


def win_back(user: str, purchases: list[Purchase], until: int) -> Found:
    """Simulate one user in ``win_back``."""
    found: Found = []
    entries: list[int] = []
    silent = draw(SPACE, "win_back", user, "holdout") < 1_000
    for start, cause, entered in changes(purchases, until, lapsed, 60 * DAY):
        if not entered:
            continue
        if sum(e <= start.time < e + 365 * DAY for e in entries) >= 2:
            found.append(Refusal("win_back", user, start.time, "entry_limit", cause))
            continue
        entries.append(start.time)
        leaves, due = first(purchases, start), start.time + 30 * DAY
        steps = [("miss_you", start.time), ("pause", start.time)]
        ended, reason, by, waits = None, "", "", None
        if leaves and leaves.time < due:
            ended, reason, by = (
                Tick(leaves.time, 1 + purchases.index(leaves)),
                "exit_rule",
                leaves.id,
            )
        elif due <= until:
            steps.append(("offer", due))
            ended, reason = before(purchases, due), "completed"
        else:
            waits = due
        goal = first(purchases, start, 30 * DAY)
        found.append(
            Session(
                "win_back", user, start.time, cause, silent,
                tuple(steps), ended, reason, by, waits, goal,
            )
        )  # fmt: skip
    return found


def second_purchase(user: str, purchases: list[Purchase], until: int) -> Found:
    """Simulate one user in ``second_purchase``: one entry, with the first purchase."""
    origin = purchases[0]
    start = Tick(origin.time, 1)
    goal = first(purchases, start, 60 * DAY)
    branch = "voucher" if origin.cents >= 50_00 else "picks"
    waits = origin.time
    steps = [("settle", waits)]
    for delay, then in ((14, ("amount", branch, "month")), (30, ("last",))):
        waits += delay * DAY
        if waits > until or (goal and goal.time < waits):
            break
        steps += [(step, waits) for step in then]
    ended, reason, by = None, "", ""
    if steps[-1][0] == "last":
        ended, reason = before(purchases, waits), "completed"
    elif goal and goal.time < waits:
        ended, reason, by = Tick(goal.time, 1 + purchases.index(goal)), "goal", goal.id
    pending = None if ended else waits
    return [
        Session(
            "second_purchase", user, start.time, origin.id, False,
            tuple(steps), ended, reason, by, pending, goal,
        )
    ]  # fmt: skip


def vip_flow(user: str, purchases: list[Purchase], until: int) -> Found:
    """Simulate one user in ``vip``."""
    found: Found = []
    letter = draw(SPACE, "vip", "greeting", user) < 5_000
    variant, greeting = ("letter", "thanks") if letter else ("preview", "early_look")
    edges = changes(purchases, until, vip, 180 * DAY)
    exits: list[Tick] = []
    for index, (start, cause, entered) in enumerate(edges):
        if not entered:
            continue
        if any(e < start and start.time < e.time + 180 * DAY for e in exits[-1:]):
            found.append(Refusal("vip", user, start.time, "reentry_delay", cause))
            continue
        due = start.time + 90 * DAY
        leaves = next((tick for tick, _, _ in edges[index + 1 :]), None)
        steps = [(step, start.time) for step in ("greeting", greeting, "season")]
        ended, reason, waits = None, "", None
        # At one instant the audience changes before waits end: only members get the gift.
        if leaves and leaves.time <= due:
            ended, reason = leaves, "exit_rule"
        elif due <= until:
            steps.append(("gift", due))
            ended, reason = before(purchases, due), "completed"
        else:
            waits = due
        if ended:
            exits.append(ended)
        goal = first(purchases, start, 30 * DAY)
        found.append(
            Session(
                "vip", user, start.time, cause, False,
                tuple(steps), ended, reason, "", waits, goal, variant,
            )
        )  # fmt: skip
    return found


FLOWS = {"win_back": win_back, "second_purchase": second_purchase, "vip": vip_flow}


def follow(users: dict[str, list[Purchase]], until: int) -> dict[str, Found]:
    """Simulate every user in every flow; return sessions and refusals by flow."""
    return {
        name: [one for user, bought in users.items() for one in flow(user, bought, until)]
        for name, flow in FLOWS.items()
    }


# --- what is compared -----------------------------------------------------------------------


def totals(flow: str, found: Iterable[Session | Refusal]) -> dict[str, object]:
    """Sum up one flow, with the holdout separate. Revenue is in cents."""
    found = list(found)
    sessions = [one for one in found if isinstance(one, Session)]
    reached = Counter(step for one in sessions for step, _ in one.steps)
    told = Counter(step for one in sessions if not one.silent for step, _ in one.steps)
    return {
        "entered": len(sessions),
        "holdout": sum(one.silent for one in sessions),
        "reached": dict(sorted(reached.items())),
        "messages": {step: told[step] for step in SENDS[flow]},
        "withheld": {step: reached[step] - told[step] for step in SENDS[flow]},
        "ended": dict(sorted(Counter(one.reason for one in sessions if one.ended).items())),
        "waiting": dict(sorted(Counter(o.steps[-1][0] for o in sessions if not o.ended).items())),
        "refused": dict(Counter(one.reason for one in found if isinstance(one, Refusal))),
        "treated": _arm([one for one in sessions if not one.silent]),
        "silent": _arm([one for one in sessions if one.silent]),
    }


def facts(found: Iterable[Session | Refusal]) -> dict[str, set[tuple[object, ...]]]:
    """Return every row that a replay must write, by kind; each names flow, user and time.

    entered (.., silent), reached (.., step), decided and withheld (.., step), ended (.., reason),
    converted (.., cents), refused (.., reason). No two rows of a kind are equal.
    """
    rows: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for one in found:
        who = (one.flow, one.user)
        if isinstance(one, Refusal):
            rows["refused"].add((*who, one.time, one.reason))
            continue
        rows["entered"].add((*who, one.entered, one.silent))
        rows["reached"] |= {(*who, at, step) for step, at in one.steps}
        sends = {(*who, at, step) for step, at in one.steps if step in SENDS[one.flow]}
        rows["withheld" if one.silent else "decided"] |= sends
        if one.ended:
            rows["ended"].add((*who, one.ended.time, one.reason))
        if one.goal:
            rows["converted"].add((*who, one.goal.time, one.goal.cents))
    return rows


def _arm(sessions: list[Session]) -> dict[str, int]:
    """Count the holdout or the others: by users for the lift, since users are assigned at random."""
    bought = [(one.user, one.goal) for one in sessions if one.goal]
    return {
        "users": len({one.user for one in sessions}),
        "converted_users": len({user for user, _ in bought}),
        "conversions": len(bought),
        "revenue": sum(goal.cents for _, goal in bought),
    }


def explain(user: str, purchases: list[Purchase], until: int) -> list[Verdict]:
    """Return for every message of every flow when and why it was or was not decided.

    Verdicts: ``decided``; ``withheld`` (holdout); ``missed``, if the session ended before;
    ``pending``, due when its wait ends; ``refused``, an entry; and ``no_entry``, if no trigger
    ever matched. ``cause`` is the purchase that started the session, or ended it. Messages on
    branches that were not taken are omitted.
    """
    found = [one for flow in FLOWS.values() for one in flow(user, purchases, until)]
    rows = [row for one in found for row in _verdicts(one, purchases)]
    never = FLOWS.keys() - {one.flow for one in found}
    return sorted(rows + [Verdict(until, flow, "", "no_entry", "", "") for flow in never])


def _verdicts(one: Session | Refusal, purchases: list[Purchase]) -> list[Verdict]:
    if isinstance(one, Refusal):
        return [Verdict(one.time, one.flow, "", "refused", one.reason, one.cause)]
    reached = dict(one.steps)
    rows = []
    for step in _path(one, purchases):
        if step in reached:
            what = ("withheld", "holdout") if one.silent else ("decided", "")
            rows.append(Verdict(reached[step], one.flow, step, *what, one.cause))
        elif one.ended:
            rows.append(Verdict(one.ended.time, one.flow, step, "missed", one.reason, one.ended_by))
        else:
            assert one.waits_until is not None
            rows.append(Verdict(one.waits_until, one.flow, step, "pending", one.steps[-1][0], ""))
    return rows


def _path(one: Session, purchases: list[Purchase]) -> tuple[str, ...]:
    """List the sends of the branch that the session took or would take."""
    match one.flow:
        case "second_purchase":
            return ("voucher" if purchases[0].cents >= 50_00 else "picks", "last")
        case "vip":
            return ("thanks" if one.variant == "letter" else "early_look", "gift")
        case _:
            return SENDS[one.flow]
