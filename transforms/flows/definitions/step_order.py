"""Where each step goes on: what is written, else the next step of the file (J12, C21)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from transforms.flows.definitions.steps.branches import If, IfCase, Keywords, MatchMessage, Split
from transforms.flows.definitions.steps.calls import CallApi, RunCode
from transforms.flows.definitions.steps.flows import End
from transforms.flows.definitions.steps.kinds import Step, Verb
from transforms.flows.definitions.steps.sends import Send
from transforms.flows.definitions.steps.waits import (
    CaseCall,
    CaseEvent,
    CaseInbound,
    WaitFor,
    WaitUntil,
    WaitVisit,
)

RESTARTING = (CaseEvent, CaseInbound, CaseCall)
"""Cases that may start the time-out of a wait again."""


class ReadStep(msgspec.Struct, frozen=True, gc=False):
    """A step as read: without a verb if it could not be; ``then`` only if it was written."""

    name: str
    verb: Verb | None
    then: str | None


class Fall(msgspec.Struct, frozen=True, gc=False):
    """A step that goes on ``to`` the next one of the file without saying so."""

    step: str
    to: str


class Followed(msgspec.Struct, frozen=True, gc=False):
    """Steps with all their targets; ``branches`` maps a written branch target to its step."""

    steps: tuple[Step, ...]
    falls: tuple[Fall, ...]
    branches: dict[str, str]
    complete: bool


def follow(read: Sequence[ReadStep]) -> Followed:
    """Fill the targets that were left unsaid; steps without a verb are left out."""
    made, falls = list[Step](), list[Fall]()
    branches: dict[str, str] = {}
    names = [step.name for step in read]
    for step, after in zip(read, [*names, None][1:], strict=True):
        if step.verb is None:
            continue
        for target in written(step.verb):
            branches.setdefault(target, step.name)
        filled, used = _filled(step, step.then or after)
        made.append(filled)
        if used and step.then is None and after is not None:
            falls.append(Fall(step.name, after))
    return Followed(tuple(made), tuple(falls), branches, len(made) == len(read))


def written(verb: Verb) -> list[str]:
    """List the targets that the branches of a step name."""
    match verb:
        case If(cases, otherwise) | MatchMessage(cases, otherwise):
            found = [*(case.then for case in cases), otherwise]
        case Split(branches):
            found = [branch.then for branch in branches]
        case WaitFor(cases=waited, timeout_then=late):
            found = [*(case.then for case in waited), late]
        case WaitUntil(missing=missing):
            found = [missing]
        case WaitVisit(gone=gone):
            found = [gone]
        case Send(branches=reasons):
            found = [then for _, then in reasons]
        case CallApi(timeout_then=late, error=failed):
            found = [late, failed]
        case RunCode(error=failed):
            found = [failed]
        case _:
            found = []
    return [target for target in found if target is not None]


def _filled(step: ReadStep, after: str | None) -> tuple[Step, bool]:
    """Return the step with its targets, and whether any of them is the next step, unsaid."""
    match step.verb:
        case If(cases, otherwise):
            filled = tuple(_case(case, after) for case in cases)
            verb: Verb = If(filled, otherwise or after)
            return Step(step.name, verb), otherwise is None or filled != cases
        case MatchMessage(keywords, otherwise) as match:
            heard = tuple(Keywords(case.keywords, case.then or after) for case in keywords)
            verb = MatchMessage(heard, otherwise or after)
            return Step(step.name, verb), verb != match
        case WaitFor() as wait:
            verb = _wait_for(wait, after)
            return Step(step.name, verb), verb != wait
        case Split() | End() as verb:
            return Step(step.name, verb), False
        case None:
            raise AssertionError("a step without a verb is left out")
        case verb:
            return Step(step.name, verb, after), True


def _case(case: IfCase, after: str | None) -> IfCase:
    return case if case.then is not None else IfCase(case.when, after)


def _wait_for(wait: WaitFor, after: str | None) -> WaitFor:
    cases = tuple(
        case
        if case.then is not None or (wait.restart and isinstance(case, RESTARTING))
        else msgspec.structs.replace(case, then=after)
        for case in wait.cases
    )
    late = wait.timeout_then or (after if wait.timeout is not None else None)
    return msgspec.structs.replace(wait, cases=cases, timeout_then=late)
