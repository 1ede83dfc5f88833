"""The data of messages and requests: named values of a step, and what a template reads (R14)."""

from __future__ import annotations

from typing import Any

from transforms.flows.catalog.compiled import Plan
from transforms.flows.definitions.space import Template
from transforms.flows.engine.context import Context, Data
from transforms.flows.engine.working import Session
from transforms.flows.expressions.view import View


def values_of(values: tuple[tuple[str, Any], ...], view: View) -> Data:
    """Evaluate named expressions; missing values are omitted."""
    found = {}
    for name, value in values:
        result = value(view)
        if result is not None:
            found[name] = result
    return found


def captured(plan: Plan, session: Session, template: Template | None, data: Data) -> Data:
    """Return the named data and what a template reads of a session, as they are now."""
    roots: Data = {"data": data} if data else {}
    for path in template.reads if template is not None else ():
        match path[0]:
            case "entry":
                _pick(roots, session.entry, path)
            case "session":
                _pick(roots, session.variables | {"started": session.started}, path)
            case "message":
                _pick(roots, session.message or {}, path)
            case "flow":
                roots["flow"] = {"id": plan.id, "version": plan.version}
            case _:
                pass
    return roots


def add_user(ctx: Context, plan: Plan, template: Template | None, roots: Data) -> None:
    """Add what a template reads of the user, at the time when the message or request is sent."""
    for path in template.reads if template is not None else ():
        if path[0] == "user":
            _pick(roots, ctx.state.traits, path)
        elif path[0] == "participant":
            _pick(roots, ctx.participant_of(plan), path)


def _pick(into: Data, source: Data, path: tuple[str, ...]) -> None:
    if len(path) == 1:
        into[path[0]] = dict(source)
    elif path[1] in source:
        into.setdefault(path[0], {})[path[1]] = source[path[1]]
