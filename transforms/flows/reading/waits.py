"""The four ways to wait, from nodes (semantics, section 4)."""

from __future__ import annotations

import re

import msgspec

from transforms.flows.clock.delays import Delay
from transforms.flows.definitions.step_order import RESTARTING
from transforms.flows.definitions.steps.kinds import Verb
from transforms.flows.definitions.steps.waits import (
    Case,
    CaseAudience,
    CaseEvent,
    CaseStatus,
    CaseWhen,
    Wait,
    WaitFor,
    WaitUntil,
    WaitVisit,
    WaitWindow,
)
from transforms.flows.diagnostics import quoted, suggest
from transforms.flows.reading.fields import Fields, fields
from transforms.flows.reading.inbound import case_call, case_inbound
from transforms.flows.reading.nodes import Node, Scalar, Sequence
from transforms.flows.reading.triggers import MAX_WAIT_DAYS, event_match
from transforms.flows.reading.values import Reading

STATUSES = (
    "planned", "active", "sent", "delivered", "read", "opened", "clicked", "replied", "completed",
    "no_response", "failed", "bounced", "canceled", "skipped", "expired", "unknown", "unsubscribed",
)  # fmt: skip
"""What a communication can come to (semantics, section 2)."""

OWN = ("planned", "active", "canceled", "skipped")
"""Statuses that sending itself gives: no signal tells of them, so nothing can wait for one."""

AWAITED = tuple(status for status in STATUSES if status not in OWN)

IN_VISIT = re.compile(r"\s+in\s+visit\s*$")

CASE_KINDS = ("event", "when", "enters", "leaves", "inbound", "call")


def wait(reading: Reading, found: Fields) -> Verb | None:
    """Read ``wait: 2d``, or ``wait: 20s in visit`` with ``gone``."""
    node = found.get("wait")
    if isinstance(node, Scalar) and IN_VISIT.search(node.text):
        return _wait_in_visit(reading, found, node)
    delay = found.need("wait", lambda node: reading.delay(node, MAX_WAIT_DAYS))
    return None if delay is None else Wait(delay)


def _wait_in_visit(reading: Reading, found: Fields, node: Scalar) -> Verb | None:
    """Read a wait within a visit, of a fixed length (J11)."""
    bare = msgspec.structs.replace(node, text=IN_VISIT.sub("", node.text))
    delay = found.need("wait", lambda _: reading.delay(bare, MAX_WAIT_DAYS))
    gone = found.read("gone", reading.step)
    if delay is not None and not delay.ms:
        said = f'"{delay.text}" is no fixed length of time, as a wait in a visit has'
        reading.problem(node, "invalid-duration", said, "write for example 20s in visit")
    return None if delay is None else WaitVisit(delay, gone)


def wait_until(reading: Reading, found: Fields) -> Verb | None:
    """Read ``wait_until`` with ``past`` and ``missing``."""
    moment = found.need("wait_until", reading.moment)
    past = found.read("past", lambda node: reading.one_of(node, ("go", "exit")))
    missing = found.read("missing", reading.step)
    if moment is None:
        return None
    return WaitUntil(moment, past or "go", missing)  # type: ignore[arg-type]


def wait_in(reading: Reading, found: Fields) -> Verb | None:
    """Read ``wait_in: mon-fri 09:00-18:00``."""
    window = found.need("wait_in", reading.window)
    return None if window is None else WaitWindow(window)


def wait_for(reading: Reading, found: Fields) -> Verb | None:
    """Read the cases of ``wait_for`` with their time-out."""
    node = found.get("wait_for")
    restart = found.read("repeat", lambda inner: reading.one_of(inner, ("restart",))) is not None
    cases = _cases(reading, node) if node else ()
    if isinstance(node, Sequence) and not node.items:
        reading.problem(found.lead, "empty-step", f"{found.what} waits for nothing")
    after, then = read_timeout(reading, found, MAX_WAIT_DAYS)
    rank = found.flag("rank")
    for key, needs, fine in (
        ("repeat", "a timeout to start again", after is not None),
        ("rank", "a timeout, the end of the wait", after is not None),
        ("repeat", 'an event or a message without "then"', _restarts(cases)),
    ):
        wanted = restart if key == "repeat" else rank
        at = found.node.key(key)
        if wanted and not fine and at is not None:
            reading.problem(at, "missing-key", f'{found.what} has "{key}", which needs {needs}')
    return WaitFor(cases, after, then, rank, restart)


def _cases(reading: Reading, node: Node) -> tuple[Case, ...]:
    return reading.many(node, lambda item: _case(reading, item))


def _restarts(cases: tuple[Case, ...]) -> bool:
    return any(isinstance(case, RESTARTING) and case.then is None for case in cases)


def read_timeout(reading: Reading, step: Fields, days: int) -> tuple[Delay | None, str | None]:
    """Read the ``timeout`` of a step, at most so many days: how long, and where it leads."""
    node = step.get("timeout")
    found = fields(reading, node, "timeout") if node is not None else None
    if found is None:
        return None, None
    after = found.need("after", lambda inner: reading.delay(inner, days))
    then = found.read("then", reading.step)
    found.close()
    return after, then


def _case(reading: Reading, node: Node) -> Case | None:
    found = fields(reading, node, "a case")
    if found is None:
        return None
    kinds = [kind for kind in (*CASE_KINDS, *AWAITED) if kind in found]
    if len(kinds) != 1:
        _no_kind(reading, found, kinds)
        return None
    then = found.read("then", reading.step)
    made = _made(reading, found, kinds[0], then)
    found.close()
    return made


def _no_kind(reading: Reading, found: Fields, kinds: list[str]) -> None:
    if kinds:
        reading.problem(found.lead, "two-kinds", f"a case is one of {quoted(kinds)}, not several")
        return
    key = next((key for key, _ in found.node.items if key.text != "then"), None)
    if key is None:
        reading.problem(found.lead, "unknown-case", "a case needs something to wait for")
        return
    if key.text in OWN:
        said = f'nothing can wait for "{key.text}": it is decided when the message is sent'
        known = "give the send step branches, such as no_address: or capped:"
        reading.problem(key, "unknown-status", said, known)
        return
    known = suggest(key.text, (*CASE_KINDS, *AWAITED))
    others = f"{', '.join(CASE_KINDS[:-1])} or {CASE_KINDS[-1]}"
    said = f'"{key.text}" is neither a status of a message nor {others}'
    reading.problem(key, "unknown-status", said, known)


def _made(reading: Reading, found: Fields, kind: str, then: str | None) -> Case | None:
    match kind:
        case "event":
            match = event_match(reading, found)
            return None if match is None else CaseEvent(match, then)
        case "when":
            when = found.read("when", reading.condition)
            return None if when is None else CaseWhen(when, then)
        case "enters" | "leaves":
            name = found.read(kind, reading.audience)
            if name is None:
                return None
            return CaseAudience(name, "entered" if kind == "enters" else "left", then)
        case "inbound":
            return case_inbound(reading, found, then)
        case "call":
            return case_call(reading, found, then)
        case _:
            step = found.read(kind, lambda node: _sender(reading, node))
            where = found.read("where", reading.condition)
            return None if step is None else CaseStatus(kind, step, then, where)


def _sender(reading: Reading, node: Node) -> str | None:
    name = reading.text(node)
    known = reading.known
    if name is None or name in known.senders:
        return name
    if name in known.steps:
        reading.problem(node, "not-a-send", f'step "{name}" sends nothing', "name a send step")
    else:
        meant = suggest(name, known.senders)
        reading.problem(node, "unknown-step", f'there is no step "{name}"', meant)
    return name
