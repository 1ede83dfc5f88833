"""Checks of the steps of a flow: waits, windows, messages, the graph, templates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise

from transforms.flows.clock.windows import Window
from transforms.flows.definitions.ports import kind_of_step, targets, targets_at_once
from transforms.flows.definitions.shapes import Flaw
from transforms.flows.definitions.space import Space, Template
from transforms.flows.definitions.steps.branches import MatchMessage
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.definitions.steps.waits import CaseCall, CaseInbound, CaseStatus, WaitFor
from transforms.flows.definitions.triggers.messages import OnCall, OnInbound, OnIncoming
from transforms.flows.definitions.used import UsedTemplate, templates_of
from transforms.flows.diagnostics import suggest
from transforms.flows.expressions.types import MESSAGE
from transforms.flows.reading.checks.checked import Check, Checked
from transforms.flows.reading.names import OWN_TRAITS

WEEK = 7 * 1440

LISTENING = (OnInbound, OnCall, OnIncoming, CaseInbound, CaseCall)
"""Triggers and cases that take messages or calls of users."""

SESSION = ("id", "started")
"""What templates can read of every session."""

UNSURE = frozenset(
    {"unknown-step", "missing-branch", "missing-key", "wrong-kind", "unknown-key", "unknown-case",
     "unknown-status", "two-kinds", "unknown-branch"}
)  # fmt: skip
"""Problems that hide where steps go on: what cannot be reached is not judged beside them."""

Graph = Mapping[str, Iterable[str]]


def _waits_on_exit(checked: Checked) -> Iterator[Flaw]:
    """Refuse waits among the steps that run when a session has ended (R23)."""
    for step in checked.on_exit.steps:
        keys = ("on_exit", step.name)
        if kind_of_step(step.verb).waits or _holds(step):
            message = f'step "{step.name}" waits, but steps of on_exit cannot wait'
            yield Flaw(keys, "wait-on-exit", message, at_key=True)
        if step.name in checked.known.steps:
            message = f'step "{step.name}" is in steps and in on_exit'
            yield Flaw(
                keys, "duplicate-step", message, "every step needs its own name", at_key=True
            )


def _closed_windows(checked: Checked) -> Iterator[Flaw]:
    """Refuse a message that could never leave: its window within the quiet hours (R14)."""
    quiet = checked.space.quiet_hours
    for section, step in checked.steps():
        window = step.verb.window if isinstance(step.verb, Send) else None
        if not quiet or not window or window.zone != quiet.zone:
            continue
        if _minutes(window) <= _minutes(quiet):
            message = f"{window.text} lies within the quiet hours, {quiet.text}"
            hint = "no message would ever leave"
            yield Flaw((section, step.name, "window"), "impossible-window", message, hint)


def _timeouts_while_closed(checked: Checked) -> Iterator[Flaw]:
    """Warn of a wait for a message that may time out before quiet hours or a window let it go."""
    edges = {s.name: [] if _holds(s) else targets_at_once(s) for s in checked.main.steps}
    sends = {step.name: step.verb for step in checked.main.steps if isinstance(step.verb, Send)}
    for step in checked.main.steps:
        verb = step.verb
        if not isinstance(verb, WaitFor) or verb.timeout is None or not verb.timeout.ms:
            continue
        of = dict.fromkeys(case.step for case in verb.cases if isinstance(case, CaseStatus))
        for name in of:
            send = sends.get(name)
            if send is None or send.hold or step.name not in _reached(edges, name):
                continue
            closed = _longest_closed(checked.space, send)
            if verb.timeout.ms <= closed * 60_000:
                message = f'the time-out of {verb.timeout.text} can pass before message "{name}"'
                message += f" leaves: quiet hours or its window hold it for up to {_hours(closed)}"
                hint = f'hold: true on "{name}" has the session wait until it leaves'
                keys = ("steps", step.name, "timeout")
                yield Flaw(keys, "early-timeout", message, hint, severity="warning")


def _holds(step: Step) -> bool:
    """Return whether a step sends a message and waits until it leaves."""
    return isinstance(step.verb, Send) and step.verb.hold


def _longest_closed(space: Space, send: Send) -> int:
    """Return for how many minutes at most quiet hours and its window hold a message."""
    urgent = send.urgent or any(t.urgent for t in space.topics if t.name == send.topic)
    quiet = _minutes(space.quiet_hours) if space.quiet_hours and not urgent else frozenset()
    opened = _minutes(send.window) if send.window else frozenset(range(WEEK))
    leaves = sorted(opened - quiet)
    if not leaves:
        return 0
    return max((then - now - 1) % WEEK for now, then in pairwise([*leaves, leaves[0]]))


def _hours(minutes: int) -> str:
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


@lru_cache(maxsize=256)
def _minutes(window: Window) -> frozenset[int]:
    """Return the minutes of the week in which a window is open."""
    minutes: set[int] = set()
    for span in window.spans:
        length = span.end - span.start if span.end > span.start else span.end + 1440 - span.start
        for day in span.days:
            start = day * 1440 + span.start
            minutes.update(minute % WEEK for minute in range(start, start + length))
    return frozenset(minutes)


def _no_messages(checked: Checked) -> Iterator[Flaw]:
    """Warn of a branch by keyword in a flow that takes no messages."""
    if any(isinstance(trigger, LISTENING) for trigger in checked.flow.enter):
        return
    for step in checked.main.steps:
        for case in step.verb.cases if isinstance(step.verb, WaitFor) else ():
            replied = isinstance(case, CaseStatus) and case.status == "replied"
            if replied or isinstance(case, LISTENING):
                return
    for section, step in checked.steps():
        if isinstance(step.verb, MatchMessage):
            keys, hint = (section, step.name), "wait for inbound: before it"
            message = (
                f'step "{step.name}" branches by keyword, but no trigger or wait takes messages'
            )
            yield Flaw(keys, "no-message", message, hint, at_key=True, severity="warning")


# --- the graph of the steps --------------------------------------------------------------------


def _falls_into_branch(checked: Checked) -> Iterator[Flaw]:
    for section, followed in checked.sections():
        for fall in followed.falls:
            owner = followed.branches.get(fall.to)
            if owner is not None:
                message = f'step "{fall.step}" falls through to "{fall.to}", a branch of "{owner}"'
                hint = f"write where it goes on, with then: {fall.to} if that is meant"
                yield Flaw((section, fall.step), "falls-into-branch", message, hint, at_key=True)


def _unreachable(checked: Checked) -> Iterator[Flaw]:
    for section, followed in checked.sections():
        if not followed.steps or not followed.complete or checked.codes & UNSURE:
            continue
        first = followed.steps[0].name
        seen = _reached({step.name: targets(step) for step in followed.steps}, first)
        for step in followed.steps:
            if step.name not in seen:
                message = f'step "{step.name}" cannot be reached from "{first}"'
                hint = "name it with then, or leave it out"
                yield Flaw((section, step.name), "unreachable-step", message, hint, at_key=True)


def _loops(checked: Checked) -> Iterator[Flaw]:
    """Refuse loops without a wait: one shortest loop for each group of steps in a circle."""
    for section, followed in checked.sections():
        edges = {step.name: targets_at_once(step) for step in followed.steps}
        done: set[str] = set()
        for name in edges:
            loop = [] if name in done else _way_back(edges, name)
            if loop:
                done.update(n for n in _reached(edges, name) if name in _reached(edges, n))
                path = " -> ".join(f'"{step}"' for step in loop)
                message = f"the steps {path} form a loop without a wait"
                hint = "put a wait into it"
                yield Flaw((section, name), "loop-without-wait", message, hint, at_key=True)


def _reached(edges: Graph, first: str) -> set[str]:
    """Return the steps that can be reached from the first."""
    seen, left = {first}, [first]
    while left:
        for name in edges.get(left.pop(), ()):
            if name not in seen:
                seen.add(name)
                left.append(name)
    return seen


def _way_back(edges: Graph, name: str) -> list[str]:
    """Return the shortest path from a step to itself."""
    before: dict[str, str] = {}
    left = [name]
    for here in left:
        for there in edges.get(here, ()):
            if there == name:
                path = [name, here]
                while path[-1] != name:
                    path.append(before[path[-1]])
                return path[::-1]
            if there not in before:
                before[there] = here
                left.append(there)
    return []


# --- templates ---------------------------------------------------------------------------------


def _templates(checked: Checked) -> Iterator[Flaw]:
    """Report templates that do not exist, and what they read that does not exist."""
    for section, step in checked.steps():
        for used in templates_of(step.verb):
            keys = (section, step.name, used.key)
            template = checked.templates.get(used.name)
            if template is None:
                message = f'step "{step.name}" uses template "{used.name}", which does not exist'
                hint = suggest(used.name, checked.templates)
                hint = hint or f"add messages/{used.name}.liquid beside the flow"
                yield Flaw(keys, "unknown-template", message, hint)
            else:
                for read, hint in _unknown_reads(checked, used, template):
                    message = f'template "{used.name}" reads "{read}", which step "{step.name}"'
                    message += " does not have"
                    yield Flaw(keys, "unknown-template-data", message, hint)


def _unknown_reads(
    checked: Checked, used: UsedTemplate, template: Template
) -> Iterator[tuple[str, str]]:
    """Yield the names that a template reads and that do not exist, with help."""
    for path in template.reads:
        names = _readable(checked, used, path[0])
        if len(path) > 1 and names is not None and path[1] not in names:
            yield ".".join(path[:2]), suggest(path[1], names) or _help(path)


def _readable(checked: Checked, used: UsedTemplate, root: str) -> Collection[str] | None:
    """Return the names under a root, or None where they are not known."""
    known = checked.known
    match root:
        case "data":
            return used.data
        case "session":
            return [*known.session, *SESSION]
        case "entry":
            return known.entry
        case "message":
            return MESSAGE
        case "participant":
            return () if known.campaign is None else known.participant
        case "user":
            return [*known.traits, *OWN_TRAITS] if known.traits else None
        case _:
            return None


def _help(path: tuple[str, ...]) -> str:
    match path[0]:
        case "data":
            return f"add it to the step: data: {{{path[1]}: <expression>}}"
        case "session":
            return "an update step sets a variable of the session"
        case "message":
            return f"of what users send there are {', '.join(MESSAGE)}"
        case "participant":
            return "declare it among the fields of a campaign, and name that in the flow"
        case root:
            return f"declare it in space.yaml, or leave {root}.{path[1]} out"


STEP_CHECKS: tuple[Check, ...] = (
    _waits_on_exit,
    _closed_windows,
    _timeouts_while_closed,
    _no_messages,
    _falls_into_branch,
    _unreachable,
    _loops,
    _templates,
)
"""Every check of steps."""
