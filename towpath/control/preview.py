"""What publishing a version changes: its steps against the running version, and who moves where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from towpath.control.situation import Counts
from transforms.flows.catalog.compiled import Plan
from transforms.flows.catalog.epochs import Catalog
from transforms.flows.definitions.ports import kind_of_step
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.protocol.control_records import Publish

ENDS = "ends"
"""Where a session goes whose step is gone and has no successor."""


class Move(msgspec.Struct, frozen=True, omit_defaults=True):
    """Sessions at a step of an earlier version, and the step where they go on, or ``ends``.

    ``sessions`` is None if their number is not known.
    """

    version: int
    step: str
    to: str
    sessions: int | None = None


class Preview(msgspec.Struct, frozen=True):
    """A new version of a flow against the one before, None for the first."""

    flow: str
    version: int
    before: int | None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    moves: tuple[Move, ...] = ()

    @property
    def ends(self) -> bool:
        """Return True if sessions end, or may end because their number is not known."""
        return any(move.to == ENDS and move.sessions != 0 for move in self.moves)


def preview(
    record: Publish, before: Publish | None, after: Catalog, sessions: Counts | None
) -> Preview:
    """Compare a version with the one before; ``after`` is the catalog that has both."""
    number = after.numbers[record.flow]
    new = after.plans[number, record.version]
    moves = tuple(_moves(record, after, number, sessions)) if record.migrate else ()
    if before is None:
        names = tuple(step.name for step in new.flow.steps)
        return Preview(record.flow, record.version, None, names, moves=moves)
    old = after.plans[number, before.version]
    was, now = _steps(old), _steps(new)
    return Preview(
        record.flow,
        record.version,
        before.version,
        added=tuple(name for name in now if name not in was),
        removed=tuple(name for name in was if name not in now),
        changed=tuple(name for name in now if name in was and now[name] != was[name]),
        sections=tuple(_sections(old, new)),
        templates=tuple(_different(before.templates, record.templates)),
        moves=moves,
    )


def _steps(plan: Plan) -> dict[str, Step]:
    return {step.name: step for step in plan.flow.steps}


def _sections(old: Plan, new: Plan) -> Iterator[str]:
    for name in new.flow.__struct_fields__:
        if name not in ("id", "steps") and getattr(old.flow, name) != getattr(new.flow, name):
            yield name


def _different(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in {*was, *now} if was.get(name) != now.get(name))


def _moves(record: Publish, after: Catalog, number: int, sessions: Counts | None) -> Iterator[Move]:
    """Say for each step of earlier versions where its sessions go on, as the core moves them."""
    new = _steps(after.plans[number, record.version])
    earlier = {
        version: _steps(plan)
        for (flow, version), plan in after.plans.items()
        if flow == number and version < record.version
    }
    for version, steps in sorted(earlier.items()):
        for name, step in steps.items():
            stays = name in new and type(new[name].verb) is type(step.verb)
            to = name if stays else record.successors.get(name, ENDS)
            if sessions is None:
                if not stays and kind_of_step(step.verb).waits:
                    yield Move(version, name, to)
            elif count := sessions.get((version, name), 0):
                yield Move(version, name, to, count)


def words_of(shown: Preview) -> Iterator[str]:
    """Say in words what a version changes."""
    if shown.before is None:
        yield f"first version, with the steps {', '.join(shown.added)}"
    for what, names in (
        ("new steps", shown.added if shown.before is not None else ()),
        ("removed steps", shown.removed),
        ("changed steps", shown.changed),
        ("changed sections", shown.sections),
        ("changed templates", shown.templates),
    ):
        if names:
            yield f"{what}: {', '.join(names)}"
    yield from _move_words(shown.moves)


def _move_words(moves: tuple[Move, ...]) -> Iterator[str]:
    staying = Counter[int]()
    for move in moves:
        if move.to == move.step:
            staying[move.version] += move.sessions or 0
    for version, count in sorted(staying.items()):
        yield f"{sessions_text(count)} of version {version} stay at their steps"
    for move in moves:
        who = "sessions" if move.sessions is None else sessions_text(move.sessions)
        where = f"at {move.step} of version {move.version}"
        if move.to == ENDS:
            yield f"{who} {where} end with the reason flow_changed"
        elif move.to != move.step:
            yield f"{who} {where} go on at {move.to}"


def sessions_text(count: int) -> str:
    """Return a number of sessions as text."""
    return f"{count:,} session" + ("" if count == 1 else "s")
