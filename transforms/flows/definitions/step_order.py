"""Where each step goes on: at the written target, else at the next step of the file (J12, C21)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from transforms.flows.definitions.ports import Port, change_ports, kind_of_step, ports_of
from transforms.flows.definitions.steps.kinds import Step, Verb


class ReadStep(msgspec.Struct, frozen=True, gc=False):
    """A step as read: without a verb if it could not be; ``then`` only if it was written."""

    name: str
    verb: Verb | None
    then: str | None


class Fall(msgspec.Struct, frozen=True, gc=False):
    """A step that goes on ``to`` the next one of the file without naming it."""

    step: str
    to: str


class Followed(msgspec.Struct, frozen=True, gc=False):
    """Steps with all their targets; ``branches`` maps a written branch target to its step."""

    steps: tuple[Step, ...]
    falls: tuple[Fall, ...]
    branches: dict[str, str]
    complete: bool


def follow(read: Sequence[ReadStep]) -> Followed:
    """Fill the targets that are not written; steps without a verb are left out."""
    made, falls = list[Step](), list[Fall]()
    branches: dict[str, str] = {}
    names = [step.name for step in read]
    for step, after in zip(read, [*names, None][1:], strict=True):
        if step.verb is None:
            continue
        for target in written(step.verb):
            branches.setdefault(target, step.name)
        filled, used = _filled(step.name, step.verb, step.then or after)
        made.append(filled)
        if used and step.then is None and after is not None:
            falls.append(Fall(step.name, after))
    return Followed(tuple(made), tuple(falls), branches, len(made) == len(read))


def written(verb: Verb) -> list[str]:
    """List the targets that the ports of a step name."""
    return [port.to for port in ports_of(verb) if port.to is not None]


def _filled(name: str, verb: Verb, after: str | None) -> tuple[Step, bool]:
    """Return the step with its targets, and whether any of them is the step after it, unwritten."""

    def fill(port: Port) -> str | None:
        falls = port.to is None and port.form.falls and not port.stays
        return after if falls else port.to

    filled = change_ports(verb, fill)
    goes_on = kind_of_step(verb).goes_on == "then"
    return Step(name, filled, after if goes_on else None), goes_on or filled != verb
