"""The flow ``win_back`` written by hand: a dictionary per user, timers on a heap, tuples as rows.

It decides the entries, messages, ends, goals and refusals of ``flow_defs/win_back.yaml``, a quarter
of the rows of the core. It leaves out the rows of single steps, of audiences, of statuses and of
flow states; duplicate, late and unsorted events; states as bytes, and permanent ids; versions,
pauses and migrations; consent, caps and quiet hours; and every other flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Any

from transforms.flows.protocol.signals import Event

DAY = 86_400_000
FLOW = "win_back"

Row = tuple[Any, ...]
"""Kind, user, time, session, and what else there is to say."""
User = dict[str, Any]


def new_user(user: str) -> User:
    """Return the state of a user without purchases."""
    chance = blake2b(f"cdnow\x1f{FLOW}\x1f{user}\x1fholdout".encode(), digest_size=8).digest()
    return {
        "user": user,
        "holdout": int.from_bytes(chance) % 10_000 < 1_000,
        "orders": 0,
        "entries": [],
        "session": None,
        "start": 0,
        "due": None,
    }


def buy(state: User, event: Event) -> list[Row]:
    """Handle a purchase: it ends the session, reaches the goal, and starts the 60 days anew."""
    rows = []
    at, user, session = event.time, state["user"], state["session"]
    state["orders"] += 1
    state["due"] = at + 60 * DAY
    if session is not None:
        rows.append(("ended", user, at, session, "exit_rule"))
        if at < state["start"] + 30 * DAY:
            rows.append(("converted", user, at, session, event.properties["amount"]))
        state["session"] = None
    return rows


def fire(state: User) -> list[Row]:
    """Handle what is due: the user enters, or gets the offer."""
    at, user, session = state["due"], state["user"], state["session"]
    state["due"] = None
    if session is not None:
        state["session"] = None
        ended = ("ended", user, at, session, "completed")
        if state["holdout"]:
            return [ended]
        return [("message", user, at, session, "offer", "come_back_offer", {}), ended]
    entries = state["entries"] = [entry for entry in state["entries"] if at < entry + 365 * DAY]
    if len(entries) >= 2:
        return [("refused", user, at, "", "entry_limit")]
    entries.append(at)
    session = state["session"] = f"{FLOW}/{user}/{at}"
    state["start"], state["due"] = at, at + 30 * DAY
    entered = ("entered", user, at, session, state["holdout"])
    if state["holdout"]:
        return [entered]
    data = {"data": {"orders": state["orders"]}}
    return [entered, ("message", user, at, session, "miss_you", "miss_you", data)]


def decide(events: Iterable[Event], until: int) -> Iterator[Row]:
    """Run all users: events in the order of their times, timers on a heap."""
    users: dict[str, User] = {}
    timers: list[tuple[int, str]] = []
    for event in events:
        if timers and timers[0][0] <= event.time:
            yield from _fire_until(event.time, users, timers)
        state = users.get(event.user)
        if state is None:
            state = users[event.user] = new_user(event.user)
        yield from buy(state, event)
        heappush(timers, (state["due"], event.user))
    yield from _fire_until(until, users, timers)


def _fire_until(time: int, users: dict[str, User], timers: list[tuple[int, str]]) -> Iterator[Row]:
    while timers and timers[0][0] <= time:
        at, user = heappop(timers)
        state = users[user]
        if state["due"] == at:  # else a purchase has moved it
            yield from fire(state)
            if state["due"] is not None:
                heappush(timers, (state["due"], user))
