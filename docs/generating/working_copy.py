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

from typing import Any, Final, final

from transforms.flows.catalog.compiled import CompiledStep, Plan
from transforms.flows.state.codec import pack, trim, unpack
from transforms.flows.state.stored import (
{imports}
)
'''

PLAN = '''
    plan: Plan

    @property
    def node(self) -> CompiledStep:
        """Return the step that the session is at."""
        return self.plan.steps[self.step]
'''

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

TRIMMED = {
    "list[StoredSession]": "[session_row(one) for one in {}]",
    "list[Visit]": "[visit_row(one) for one in {}]",
    "dict[int, History]": "{{flow: history_row(one) for flow, one in {}.items()}}",
}
"""How fields are written whose own records are written without empty fields at their end."""

Field = tuple[str, str, str | None]
"""A field's name, type and default, as they are written."""


def page() -> str:
    """Write the module."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    session, state = (_fields(classes[name]) for name in ("StoredSession", "StoredState"))
    names = {n.id for f in (*session, *state) for n in ast.walk(ast.parse(f[1])) if _is_name(n)}
    known = sorted({"Data", "Visit", *(names & set(classes)), "StoredSession", "StoredState"})
    parts = [
        HEAD.format(imports="\n".join(f"    {name}," for name in known)),
        *_class(
            "Session", "One session of a flow, and the flow's version that it runs in.", session
        ),
        *_class("State", "All that is remembered of one user.", state),
        *_open("session", "Session", session),
        *_open("state", "State", state),
        *_row("visit", "Visit", _fields(classes["Visit"])),
        *_row("history", "History", _fields(classes["History"])),
        *_row("session", "Session", session),
        *_row("state", "State", state),
        TAIL,
    ]
    return "".join(parts)


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
    slots = sorted([f[0] for f in fields] + (["plan"] if name == "Session" else []))
    yield f'\n\n@final\nclass {name}:\n    """{about}"""\n\n    __slots__ = (\n'
    yield from (f'        "{slot}",\n' for slot in slots)
    yield "    )\n"
    if name == "Session":
        yield PLAN
    required = [f for f in fields if f[2] is None]
    given = "".join(f"        {field}: {kind},\n" for field, kind, _ in required)
    yield f"\n    def __init__(\n        self,\n{given}    ) -> None:\n"
    for field, kind, default in fields:
        typed = "" if default is None else ": " + kind.replace("StoredSession", "Session")
        yield f"        self.{field}{typed} = {field if default is None else default}\n"


def _open(name: str, working: str, fields: list[Field]) -> Iterator[str]:
    given = "".join(f"        stored.{f[0]},\n" for f in fields if f[2] is None)
    call = f"{working}(\n{given}    )" if len(given) > 100 else f"{working}({_inline(given)})"
    yield f"\n\ndef open_{name}(stored: Stored{working}) -> {working}:\n"
    yield f'    """Make the working copy of a stored {name}."""\n'
    yield f"    {name} = {call}\n"
    for field, kind, default in fields:
        if default is not None:
            value = f"stored.{field}"
            if "StoredSession" in kind:
                value = f"[open_session(one) for one in {value}]"
            yield f"    {name}.{field} = {value}\n"
    yield f"    return {name}\n"


def _inline(given: str) -> str:
    return " ".join(given.split()).rstrip(",")


def _row(name: str, working: str, fields: list[Field]) -> Iterator[str]:
    kinds = "".join("r" if f[2] is None else "n" if f[2] == "None" else "e" for f in fields)
    constant = f"_{name.upper()}_DEFAULTS"
    yield f'\n\n{constant}: Final = "{kinds}"\n'
    yield f"\n\ndef {name}_row({name}: {working}) -> list[Any]:\n"
    yield f'    """Return the fields of a {name} in their stored order, without empty ones at the end."""\n'
    yield "    row: list[Any] = [\n"
    for field, kind, _ in fields:
        value = f"{name}.{field}"
        yield f"        {TRIMMED.get(kind, '{}').format(value)},\n"
    yield f"    ]\n    trim(row, {constant})\n    return row\n"
