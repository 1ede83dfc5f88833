"""Where a session goes on from a step: by its ports, each of which is in the table of its kind.

A port that names no step may lead to the next step of the file (J12, C21).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from transforms.flows.definitions.forms import ReasonStep, Shares, StepName
from transforms.flows.definitions.shapes import Cases, Field, Nested, StepKind, kind_of
from transforms.flows.definitions.steps.kinds import STEP_KINDS, Step, Verb


class Port(msgspec.Struct, frozen=True, gc=False):
    """One exit of a step: where it leads, None for the end of the session.

    ``form`` says what it means that ``to`` is None. ``of`` is the case or branch whose port
    it is, if any. ``stays``: a session does not leave by it, because its case only repeats or its key
    is not written.
    """

    name: str
    to: str | None
    form: StepName
    of: Any = None
    stays: bool = False

    @property
    def leads(self) -> bool:
        """Whether it leads to a step or to the end of the session."""
        return self.to is not None or self.form.falls or self.form.ends


Choose = Callable[[Port], str | None]

_BRANCH = StepName(ends=True)

_KINDS: Mapping[type, tuple[StepKind, ...]] = {
    kind.struct: tuple(other for other in STEP_KINDS if other.struct is kind.struct)
    for kind in STEP_KINDS
}


def kind_of_step(verb: Verb) -> StepKind:
    """Return the kind of a step."""
    return kind_of(_KINDS[type(verb)], verb)


def all_ports(verb: Verb) -> list[Port]:
    """Return every port that a step may have, in the order of its keys."""
    ports: list[Port] = []

    def note(port: Port) -> str | None:
        ports.append(port)
        return port.to

    change_ports(verb, note)
    return ports


def ports_of(verb: Verb) -> list[Port]:
    """Return the ports by which a session can leave a step, in the order of its keys."""
    return [port for port in all_ports(verb) if not port.stays and port.leads]


def change_ports(verb: Verb, choose: Choose) -> Verb:
    """Return the step with its ports leading where ``choose`` says."""
    changes = dict(_changed(verb, choose))
    return msgspec.structs.replace(verb, **changes) if changes else verb


def targets(step: Step) -> list[str]:
    """Return the steps where a step may go on."""
    names = [port.to for port in ports_of(step.verb)]
    return [name for name in (*names, step.then) if name is not None]


def targets_at_once(step: Step) -> list[str]:
    """Return the steps where it may go on in the instant in which it is reached.

    A condition may be true already, a window open, a date past: only then a wait passes.
    """
    kind = kind_of_step(step.verb)
    if not kind.waits:
        return targets(step)
    names = kind.at_once(step.verb, step.then) if kind.at_once is not None else ()
    return [name for name in names if name is not None]


def _changed(verb: Verb, choose: Choose) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a step that hold its ports, with the new targets."""
    kind = kind_of_step(verb)
    values = kind.values(verb)
    pairs: dict[str, str] = {}
    for field in kind.fields:
        match field.form:
            case ReasonStep() as form:
                to = choose(Port(field.key, dict(values[field.attribute]).get(field.key), form))
                if to is not None:
                    pairs[field.key] = to
                yield field.attribute, tuple(pairs.items())
            case StepName() as form:
                yield field.attribute, choose(Port(field.key, values[field.attribute], form))
            case Nested(fields=inner):
                yield from _of_nested(field, inner, values, choose)
            case Cases() as form:
                cases = values[field.attribute]
                yield field.attribute, tuple(_of_case(kind, form, verb, c, choose) for c in cases)
            case Shares():
                ports = [Port(b.name, b.then, _BRANCH, b) for b in values[field.attribute]]
                branches = [msgspec.structs.replace(p.of, then=choose(p)) for p in ports]
                yield field.attribute, tuple(branches)
            case _:
                pass


def _of_nested(
    field: Field, inner: tuple[Field, ...], values: Mapping[str, Any], choose: Choose
) -> Iterator[tuple[str, Any]]:
    """Yield the ports in a map of its own; without the map they do not exist."""
    missing = any(values[part.attribute] is None for part in inner if part.needed)
    for part in inner:
        if isinstance(part.form, StepName):
            to = values[part.attribute]
            stays = missing and to is None
            yield part.attribute, choose(Port(field.key, to, part.form, stays=stays))


def _of_case(kind: StepKind, form: Cases, verb: Verb, case: Any, choose: Choose) -> Any:
    then = next(f for f in kind_of(form.kinds, case).fields if isinstance(f.form, StepName))
    assert isinstance(then.form, StepName)
    stays = case.then is None and kind.stays is not None and kind.stays(verb, case)
    to = choose(Port(then.key, case.then, then.form, case, stays))
    return msgspec.structs.replace(case, then=to)


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
