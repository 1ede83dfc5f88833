"""What an operator proposes to change, checked against the log, in records and in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from towpath.control.situation import Counts, Refused, Situation
from transforms.flows.catalog.epochs import FlowView
from transforms.flows.clock.zones import find_zone, parse_instant
from transforms.flows.definitions.flow import Goal
from transforms.flows.protocol import control_records as log

Mode = Literal["fire", "shift", "skip"]


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one record changes, in words.

    ``sessions`` are those concerned, None if their number is not known; ``ends`` says that the
    change ends sessions. ``concerns`` is False for a change that concerns no live session.
    """

    what: str
    flow: str | None
    words: tuple[str, ...]
    was: str | None = None
    becomes: str | None = None
    sessions: Counts | None = None
    ends: bool = False
    concerns: bool = True


class Proposal(msgspec.Struct, frozen=True):
    """Records to append, what they change, and the command that an operator may want next."""

    records: tuple[log.ControlRecord, ...]
    changes: tuple[Change, ...]
    next: str = "towpath flows list"


RESUMES = {
    "fire": "sessions go on with what was decided meanwhile",
    "shift": "waits and time-outs are longer by the length of the pause",
    "skip": "sessions whose wait has run out end",
}
STARTED = {
    "running": "it is running already",
    "scheduled": "it is started already, and its schedule opens it",
    "paused": "it is paused; resume it",
}
NOT_STARTED = {
    "draft": "it is a draft, which nobody has started",
    "finished": "it is finished",
}
IDLE: dict[str, dict[str, str]] = {
    "start": STARTED,
    "pause": NOT_STARTED | {"paused": "it is paused already"},
    "resume": dict.fromkeys(
        ("draft", "scheduled", "running", "draining", "finished"), "it is not paused"
    ),
    "drain": NOT_STARTED | {"draining": "it is draining already"},
    "stop": NOT_STARTED,
    "archive": {},
}
"""Why a command would change nothing, by the status of the flow."""

NEXT = {
    "start": "towpath flows list",
    "pause": "towpath flows resume {flow}",
    "resume": "towpath flows list",
    "drain": "towpath flows list {flow}",
    "stop": "towpath flows archive {flow}",
    "archive": "towpath flows history {flow}",
}


def change_status(
    situation: Situation, what: str, flows: Sequence[str], *, resume: Mode = "fire"
) -> Proposal:
    """Propose to start, pause, resume, drain, stop or archive flows. Raises Refused."""
    records, found, views = list[log.ControlRecord](), list[Change](), list[FlowView]()
    for name in dict.fromkeys(flows):
        view = situation.flow(name)
        why = IDLE[what].get(view.status)
        if why is not None:
            raise Refused(f"cannot {what} {name}: {why}")
        records.append(_status_record(situation, what, name, resume, len(records)))
        views.append(view)
    after = situation.with_records(records).at(situation.at)
    for view in views:
        name = view.plan.flow.id
        words, ends = _status_words(situation, what, view, resume)
        found.append(
            Change(
                what=what, flow=name, words=words, was=view.status,
                becomes=after.by_id[name].status, sessions=situation.sessions_of(name),
                ends=ends, concerns=what != "start" and view.status not in NOT_STARTED,
            )
        )  # fmt: skip
    return Proposal(tuple(records), tuple(found), NEXT[what].format(flow=flows[0]))


def _status_record(
    situation: Situation, what: str, flow: str, resume: Mode, offset: int
) -> log.ControlRecord:
    head = {**situation.head(offset), "flow": flow}
    if what == "pause":
        return log.Pause(**head, resume=resume)
    kinds: dict[str, Callable[..., log.ControlRecord]] = {
        "start": log.Start, "resume": log.Resume, "drain": log.Drain,
        "stop": log.Stop, "archive": log.Archive,
    }  # fmt: skip
    return kinds[what](**head)


def _status_words(
    situation: Situation, what: str, view: FlowView, resume: Mode
) -> tuple[tuple[str, ...], bool]:
    """Say what a change of status does, and whether it ends sessions."""
    match what:
        case "start":
            return ("users may enter, within its schedule",), False
        case "pause":
            return (
                "no user enters and no step runs; sessions still notice what they wait for",
                f"at the resume, {RESUMES[resume]}",
            ), False
        case "resume":
            how = _pause_of(situation, view.plan.flow.id).resume
            return ("users may enter again, within its schedule", RESUMES[how]), how == "skip"
        case "drain":
            return ("no user enters; sessions go on to their end",), False
        case _ if view.status == "finished":
            return ("its data is kept for 30 more days",), False
        case "stop":
            return ("no user enters, and all sessions end with the reason stopped",), True
        case _:
            return (
                "no user enters, and all sessions end with the reason stopped",
                "its data is kept for 30 more days",
            ), True


def _pause_of(situation: Situation, flow: str) -> log.Pause:
    """Return the record that paused a flow last."""
    found = [
        record
        for record in situation.catalog.records
        if isinstance(record, log.Pause)
        and record.flow == flow
        and record.effective_at <= situation.at
    ]
    return found[-1]


def change_schedule(
    situation: Situation, flow: str, start: str | None, end: str | None, at_end: str
) -> Proposal:
    """Propose another schedule. Raises Refused, also for texts that are no times."""
    view = situation.flow(flow)
    zone = find_zone(view.plan.zone, situation.epoch.space.zone)
    instants = dict[str, int]()
    for name, text in (("start", start), ("end", end)):
        found = None if text is None else parse_instant(text, zone)
        if text is not None and found is None:
            raise Refused(f'--{name}: "{text}" is not a time; write for example 2026-03-01T09:00')
        if found is not None:
            instants[name] = found
    if len(instants) == 2 and instants["end"] <= instants["start"]:
        raise Refused(f"the schedule ends at {end}, not after its start at {start}")
    record = log.SetSchedule(
        **situation.head(), flow=flow, start=start, end=end,
        at_end="stop" if at_end == "stop" else "drain",
    )  # fmt: skip
    after = situation.with_records([record]).at(situation.at)
    since = f"from {start}" if start else "at once"
    until = f"until {end}; then it is to {at_end}" if end else "without an end"
    change = Change(
        what="schedule", flow=flow, words=(f"takes entries {since}, {until} ({zone.key})",),
        was=view.status, becomes=after.by_id[flow].status, sessions=situation.sessions_of(flow),
        ends=at_end == "stop" and end is not None, concerns=end is not None,
    )  # fmt: skip
    return Proposal((record,), (change,), f"towpath flows list {flow}")


def change_priority(situation: Situation, flow: str, priority: int) -> Proposal:
    """Propose another priority. Raises Refused."""
    view = situation.flow(flow)
    if view.priority == priority:
        raise Refused(f"{flow} has the priority {priority} already")
    record = log.SetPriority(**situation.head(), flow=flow, priority=priority)
    situation.with_records([record])
    words = ("flows of a higher priority are served first, also by later versions of it",)
    change = Change(
        "priority", flow, words, f"priority {view.priority}", f"priority {priority}",
        sessions=situation.sessions_of(flow),
    )  # fmt: skip
    return Proposal((record,), (change,))


def change_goals(situation: Situation, flow: str, text: str, goals: Sequence[Goal]) -> Proposal:
    """Propose other goals, with the text of their section. Raises Refused."""
    view = situation.flow(flow)
    held = situation.epoch.goals_of(view.plan)
    before = {one.goal.name: one.goal for one in (*held.goals, *held.states)}
    if before == {goal.name: goal for goal in goals}:
        raise Refused(f"{flow} has these goals already")
    record = log.SetGoals(**situation.head(), flow=flow, text=text)
    situation.with_records([record])
    change = Change(
        "goals", flow, ("they also count for sessions that have ended, while they can be reached",),
        _listed(list(before)), _listed([goal.name for goal in goals]),
        sessions=situation.sessions_of(flow),
    )  # fmt: skip
    return Proposal((record,), (change,), f"towpath flows history {flow}")


def _listed(names: Sequence[str]) -> str:
    return f"goals {', '.join(names)}" if names else "no goals"


def declare_winner(situation: Situation, flow: str, step: str, branch: str) -> Proposal:
    """Propose the best branch of a split. Raises Refused."""
    view = situation.flow(flow)
    number = view.plan.step_numbers.get(step, -1)
    before = situation.epoch.winners.get((view.plan.number, number))
    if before == branch:
        raise Refused(f"{branch} has won {flow}/{step} already")
    record = log.Winner(**situation.head(), flow=flow, step=step, branch=branch)
    situation.with_records([record])
    words = (
        f"users who reach {step} from then on take the branch {branch}; a holdout stays one",
        "sessions that have passed it are not changed",
    )
    was = f"winner {before}" if before else "no winner"
    change = Change("winner", flow, words, was, f"winner {branch}", situation.sessions_of(flow))
    return Proposal((record,), (change,), f"towpath flows history {flow}")


def switch_kill(
    situation: Situation, flow: str | None, channel: str | None, *, off: bool
) -> Proposal:
    """Propose to block what leaves, or to allow it again. Raises Refused."""
    number = None if flow is None else situation.flow(flow).plan.number
    on = (number, channel) in situation.epoch.kill_switches
    of = f" of {flow}" if flow else ""
    what = f"messages{of} on {channel}" if channel else f"messages, webhooks and exports{of}"
    if on != off:
        raise Refused(f"{what} are {'blocked' if on else 'not blocked'} already: nothing to change")
    record = log.Kill(**situation.head(), flow=flow, channel=channel, off=off)
    situation.with_records([record])
    words = (
        f"{what} leave again; what was blocked is not sent later"
        if off
        else f"{what} do not leave until this is switched off; sessions go on",
    )
    state = ("blocked", "allowed") if off else ("allowed", "blocked")
    sessions = None if flow is None else situation.sessions_of(flow)
    change = Change("kill", flow, words, *state, sessions, concerns=flow is not None)
    words_of = "".join([f" {flow}" if flow else "", f" --channel {channel}" if channel else ""])
    hint = "towpath flows list" if off else f"towpath flows kill{words_of or ' --all'} --off"
    return Proposal((record,), (change,), hint)
