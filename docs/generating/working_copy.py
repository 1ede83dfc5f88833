"""The working copy of a user's state: plain classes, written from the stored records.

``transforms/flows/state/stored.py`` is the only place where a stored field is named. Compiled,
an attribute of a plain class is read ten times faster than one of a struct, so the engine works
on such classes; this module writes them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "transforms" / "flows" / "state" / "stored.py"

HEAD = '''"""The working copy of one user: plain classes with the fields of the stored records.

Generated from ``state/stored.py`` by ``make docs``; do not edit. Compiled, these classes are read
ten times faster than structs.
"""

from __future__ import annotations

from typing import Any, final

from msgspec.structs import astuple

from transforms.flows.catalog.compiled import CompiledStep, Plan
from transforms.flows.state.codec import pack, unpack
from transforms.flows.state.stored import (
{imports}
)
'''

PLAN = """
    plan: Plan
    node: CompiledStep
"""

MOVES = '''
    def pin_to(self, plan: Plan) -> None:
        """Set the flow version that the session runs in; its step stays, if the version has it."""
        self.plan, self.version = plan, plan.version
        node = plan.steps.get(self.step)
        if node is not None:
            self.node = node

    def move_to(self, step: int) -> None:
        """Set the step that the session is at."""
        self.step, self.node = step, self.plan.steps[step]
'''

OPEN = '''

def open_session(stored: StoredSession) -> Session:
    """Make the working copy of a stored session."""
    found = astuple(stored)
    return Session(
{session}
    )


def open_state(stored: StoredState) -> State:
    """Make the working copy of a stored state."""
    found = astuple(stored)
    state = State(
{state}
    )
    state.sessions = [open_session(one) for one in stored.sessions]
    state.ended = [open_session(one) for one in stored.ended]
    return state
'''
"""Each field is named by its place: compiled, a call with ``*`` takes longer."""

TAIL = '''

def decode(blob: bytes) -> State:
    """Open a blob of any released version; raise UnknownVersion for a newer one."""
    return open_state(unpack(blob))


def encode(state: State) -> bytes:
    """Write a state as a blob."""
    return pack(state_row(state))


def stored(state: State) -> StoredState:
    """Return a copy of a state as it is stored."""
    return unpack(encode(state))
'''

MUTABLE = ("[]", "{}")
"""Defaults of which each record has its own."""

Field = tuple[str, str, str | None]
"""A field's name, type and default, as they are written."""


def page() -> str:
    """Write the module."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    session, state = (_fields(classes[name]) for name in ("StoredSession", "StoredState"))
    names = {n.id for f in (*session, *state) for n in ast.walk(ast.parse(f[1])) if _is_name(n)}
    known = sorted({"Data", *(names & set(classes)), "StoredSession", "StoredState"})
    parts = [
        HEAD.format(imports="\n".join(f"    {name}," for name in known)),
        *_class(
            "Session",
            "One session of a flow, with the flow version that it runs in and the step that it is at.",
            session,
        ),
        *_class("State", "All that is remembered of one user.", state),
        OPEN.format(session=_places(session), state=_places(state)),
        *_row("session", "Session", session),
        *_row("state", "State", state),
        TAIL,
    ]
    return "".join(parts)


def _places(fields: list[Field]) -> str:
    return "\n".join(f"        found[{place}]," for place in range(len(fields)))


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)


def _fields(node: ast.ClassDef) -> list[Field]:
    return [
        (
            item.target.id,
            ast.unparse(item.annotation),
            item.value and ast.unparse(item.value).replace("'", '"'),
        )
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]


def _class(name: str, about: str, fields: list[Field]) -> Iterator[str]:
    slots = sorted([f[0] for f in fields] + (["node", "plan"] if name == "Session" else []))
    yield f'\n\n@final\nclass {name}:\n    """{about}"""\n\n    __slots__ = (\n'
    yield from (f'        "{slot}",\n' for slot in slots)
    yield "    )\n"
    if name == "Session":
        yield PLAN
    yield "\n    def __init__(\n        self,\n"
    yield from (f"        {_parameter(*field)},\n" for field in fields)
    yield "    ) -> None:\n"
    for field, kind, default in fields:
        if default in MUTABLE:
            typed = f"{field}: {_working(kind)}"
            yield f"        self.{typed} = {default} if {field} is None else {field}\n"
        else:
            yield f"        self.{field} = {field}\n"
    if name == "Session":
        yield MOVES


def _parameter(field: str, kind: str, default: str | None) -> str:
    typed = f"{field}: {_working(kind)}"
    if default is None:
        return typed
    return f"{typed} | None = None" if default in MUTABLE else f"{typed} = {default}"


def _working(kind: str) -> str:
    return kind.replace("StoredSession", "Session")


def _row(name: str, working: str, fields: list[Field]) -> Iterator[str]:
    yield f"\n\ndef {name}_row({name}: {working}) -> list[Any]:\n"
    yield f'    """Return the fields of a {name} in their stored order, without empty ones at the end."""\n'
    yield "    row: list[Any] = [\n"
    for field, kind, _ in fields:
        value = f"{name}.{field}"
        if "StoredSession" in kind:
            value = f"[session_row(one) for one in {value}]"
        yield f"        {value},\n"
    yield f"    ]\n    del row[_{name}_length({name}) :]\n    return row\n"
    yield f"\n\ndef _{name}_length({name}: {working}) -> int:\n"
    for place, (field, _, default) in reversed(list(enumerate(fields, 1))):
        if default is None:
            yield f"    return {place}\n"
            return
        used = f"{name}.{field} is not None" if default == "None" else f"{name}.{field}"
        yield f"    if {used}:\n        return {place}\n"
