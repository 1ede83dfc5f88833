"""Say why an input started no session: which condition was false with its values, which name is unknown.

Conditions are evaluated again after the input, on the state that it left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from transforms.flows.catalog.compiled import CompiledTrigger
from transforms.flows.catalog.epochs import NEVER, Catalog, FlowView
from transforms.flows.clock.zones import zone_names
from transforms.flows.definitions.triggers.events import OnCombination, OnEvent
from transforms.flows.diagnostics import nearest, quoted, suggest
from transforms.flows.engine.context import Context
from transforms.flows.engine.entry.launches import accepts
from transforms.flows.engine.working import State, decode
from transforms.flows.expressions.evaluation.compile import compile_condition, compile_value
from transforms.flows.expressions.syntax import ast
from transforms.flows.expressions.syntax.write import to_text
from transforms.flows.expressions.view import View
from transforms.flows.protocol import outputs as out
from transforms.flows.protocol.signals import (
    AudienceChange,
    Enter,
    Event,
    ProfileChange,
    Signal,
    Time,
)
from transforms.scenarios.transcript import clock, value

MOST_NAMES = 12
INSTANTS = ("event.time", "session.started", "visit.started", "visit.last")


def why_not(
    catalog: Catalog,
    signal: Signal,
    state: bytes | None,
    outputs: Iterable[out.AnyOutput],
    zone: ZoneInfo,
) -> list[str]:
    """Explain, for each flow that a signal could have started, why it did not.

    ``state`` is the user's state after the signal. Flows that it started, and flows with an output
    that has the reason already, are left out.
    """
    if isinstance(signal, Time):
        return []
    found = list(outputs)
    said = {o.flow for o in found if isinstance(o, out.Rejection | out.Transition) and _says(o)}
    asking = _Asking(catalog, signal, state, zone)
    match signal:
        case Event():
            return list(asking.event(signal, said, bool(found)))
        case Enter():
            return list(asking.enter(signal, said))
        case AudienceChange(audience=name):
            return list(asking.audience(name))
        case ProfileChange():
            return list(_zone_problem(signal))
        case _:
            return []


def _says(output: out.Rejection | out.Transition) -> bool:
    return isinstance(output, out.Rejection) or output.what == "entered"


def _zone_problem(signal: ProfileChange) -> Iterator[str]:
    named = signal.set.get("timezone")
    if named is None or (isinstance(named, str) and named in zone_names()):
        return
    guess = nearest(named, zone_names()) if isinstance(named, str) else None
    more = f'; did you mean "{guess}"?' if guess else "; write for example Europe/Rome"
    yield f"timezone {value(named)} is not a time zone, so the flow's or the space's is used{more}"


class _Asking:
    """The user after a signal, and what was defined then."""

    def __init__(
        self, catalog: Catalog, signal: Signal, state: bytes | None, zone: ZoneInfo
    ) -> None:
        assert not isinstance(signal, Time)
        known = State(-1, -1) if state is None else decode(state)
        self.catalog, self.zone = catalog, zone
        self.ctx = Context(catalog, signal.user, known)
        self.ctx.begin(signal.id, max(known.clock, signal.time))
        self.epoch = self.ctx.epoch

    def event(self, event: Event, said: set[str | None], moved: bool) -> Iterator[str]:
        """Explain an event."""
        name, epoch = event.name, self.epoch
        views = epoch.by_event.get(name, ())
        for flow in views:
            if flow.plan.id not in said:
                for trigger in flow.plan.triggers:
                    if name in trigger.events:
                        yield from self._trigger(flow, trigger, event)
        if views or moved:
            return
        since = self.catalog.events_read_since.get(name, NEVER)
        if since != NEVER and since > self.ctx.now:
            yield f'nothing reads "{name}" before {clock(since, self.zone)}'
            return
        known = sorted(epoch.by_event)
        guess = nearest(name, set(known) | set(self.catalog.events_read_since) - {name})
        what = f'no flow {"reads" if since == NEVER else "starts on"} "{name}"'
        if guess:
            yield f'{what}; did you mean "{guess}"?'
        elif known:
            yield f"{what}; flows start on {quoted(known, MOST_NAMES)}"
        elif since != NEVER:
            yield f"{what}; a condition, an audience or a goal reads it"
        else:
            yield f"{what}; no flow starts on an event"

    def _trigger(self, flow: FlowView, compiled: CompiledTrigger, event: Event) -> Iterator[str]:
        trigger, name = compiled.trigger, flow.plan.id
        view = self.ctx.view_for(flow.plan)
        view.event, view.event_name, view.event_time = event.properties, event.name, event.time
        match trigger:
            case OnEvent():
                if trigger.match.where is not None:
                    yield from self._false(name, trigger.match.where, view)
            case OnCombination():
                parts = [part for part in trigger.parts if part.event == event.name]
                wheres = [part.where for part in parts]
                plain = [where for where in wheres if where is not None and not _reads_entry(where)]
                if plain and len(plain) == len(wheres):
                    said = [line for where in plain for line in self._false(name, where, view)]
                    if len(said) >= len(plain):
                        yield from said
                        return
                names = quoted(part.event for part in trigger.parts)
                yield f"{name}: the combination of {names} is not complete"
            case _:
                pass

    def enter(self, signal: Enter, said: set[str | None]) -> Iterator[str]:
        """Explain an entry by the API."""
        flows = self.epoch.by_id
        if signal.operation is not None:
            if signal.flow not in self.epoch.campaigns:
                yield _unknown("campaign", signal.flow, self.epoch.campaigns)
            return
        flow = flows.get(signal.flow)
        if flow is None:
            yield _unknown("flow", signal.flow, flows)
            return
        accepting = [t for t in flow.plan.triggers if accepts(t, signal, "")]
        if not accepting:
            yield f"{flow.plan.id}: no trigger takes an entry by the API; it needs - api: true"
        if flow.plan.id in said:
            return
        for compiled in accepting:
            where = getattr(compiled.trigger, "where", None)
            view = self.ctx.view_for(flow.plan)
            view.entry = signal.data
            if isinstance(where, ast.Expr):
                yield from self._false(flow.plan.id, where, view)

    def audience(self, name: str) -> Iterator[str]:
        """Explain an audience that nothing defines or reads."""
        epoch = self.epoch
        known = {audience.name for audience in epoch.audiences} | epoch.static_audiences
        known |= {audience for audience, _ in epoch.by_audience}
        if name not in known:
            yield _unknown("audience", name, known)

    def _false(self, flow: str, where: ast.Expr, view: View) -> Iterator[str]:
        """Yield the parts of a condition that are false, with the values that they read."""
        if compile_condition(where).test(view):
            return
        for part in _conjuncts(where.root):
            if not compile_condition(ast.Expr(to_text(part), part)).test(view):
                values = ", ".join(dict.fromkeys(self._values(part, view)))
                more = f": {values}" if values else ""
                yield f"{flow}: {to_text(part)} is false{more}"

    def _values(self, node: ast.Node, view: View) -> Iterator[str]:
        """Yield the value of each name in a condition."""
        if isinstance(node, ast.Name) and not isinstance(node, ast.Now):
            if not (isinstance(node, ast.Path) and node.root == "item"):
                yield self._value(node, view)
        elif isinstance(node, ast.Calculated):
            found = compile_value(ast.Expr("", node))(view)
            yield f"{to_text(node)} is {self._shown(node, found)}"
        elif isinstance(node, ast.Quantified):
            yield from self._values(node.of, view)
        else:
            for child in ast.children(node):
                yield from self._values(child, view)

    def _value(self, node: ast.Name, view: View) -> str:
        found = compile_value(ast.Expr("", node))(view)
        if found is None:
            guess = _meant(node, view) if isinstance(node, ast.Path) else None
            more = f' (did you mean "{guess}"?)' if guess else ""
            return f"{to_text(node)} is missing{more}"
        return f"{to_text(node)} is {self._shown(node, found)}"

    def _shown(self, node: ast.Node, found: Any) -> str:
        is_instant = isinstance(node, ast.Member) and node.since
        is_instant = is_instant or (isinstance(node, ast.Fact) and node.name in INSTANTS)
        if is_instant and isinstance(found, int):
            return clock(found, self.zone)
        return "missing" if found is None else value(found)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    hint = suggest(name, known)
    return f'there is no {what} "{name}"' + (f"; {hint}" if hint else "")


def _reads_entry(where: ast.Expr) -> bool:
    return any(isinstance(n, ast.Path) and n.root == "entry" for n in ast.walk(where.root))


def _conjuncts(node: ast.Node) -> Iterator[ast.Node]:
    if isinstance(node, ast.And):
        for term in node.terms:
            yield from _conjuncts(term)
    else:
        yield node


def _meant(node: ast.Path, view: View) -> str | None:
    """Return the name beside the missing one that was probably meant."""
    holder: Any = {
        "event": view.event,
        "entry": view.entry,
        "user": view.traits,
        "participant": view.participant,
    }.get(node.root)
    for segment in node.path:
        if not isinstance(holder, dict) or not isinstance(segment, str):
            return None
        if segment not in holder:
            return nearest(segment, [key for key in holder if isinstance(key, str)])
        holder = holder[segment]
    return None
