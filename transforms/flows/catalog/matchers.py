"""Matchers: what steps and triggers compare signals with, compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from transforms.flows.catalog.compiled import InboundMatcher, Matcher
from transforms.flows.clock.schedules import When
from transforms.flows.definitions.steps.branches import Keywords
from transforms.flows.definitions.steps.waits import CaseCall, CaseInbound
from transforms.flows.definitions.triggers.messages import OnCall, OnInbound, OnIncoming
from transforms.flows.definitions.values import EventMatch, keyword
from transforms.flows.expressions.evaluation.compile import compile_condition, compile_value
from transforms.flows.expressions.reads import reads_of
from transforms.flows.expressions.syntax.ast import Expr
from transforms.flows.expressions.syntax.parse import parse
from transforms.flows.expressions.view import View

Listening = CaseInbound | CaseCall | Keywords | OnInbound | OnCall | OnIncoming
"""Cases and triggers that compare what users send."""


def compiled_test(expr: Expr | None) -> Callable[[View], bool] | None:
    """Compile a condition that may be missing."""
    return compile_condition(expr).test if expr is not None else None


def compiled_value(expr: Expr | None) -> Callable[[View], Any] | None:
    """Compile a value that may be missing."""
    return compile_value(expr) if expr is not None else None


def compiled_path(moment: When | None) -> Callable[[View], Any] | None:
    """Compile the date that a moment counts from, if it has one."""
    return compile_value(parse(moment.path)) if moment is not None and moment.path else None


def matcher_of(match: EventMatch) -> Matcher:
    """Compile an event match."""
    read = reads_of(match.where).entry_fields if match.where is not None else frozenset()
    return Matcher(match.event, compiled_test(match.where), read)


def inbound_matcher(part: Listening) -> InboundMatcher:
    """Compile which messages and calls a trigger or a case takes (R13)."""
    match part:
        case Keywords():
            return InboundMatcher(_words(part.keywords))
        case CaseInbound() | OnInbound():
            where = compiled_test(part.where)
            return InboundMatcher(_words(part.keywords), False, part.number, part.channel, where)
        case CaseCall() | OnCall():
            where = compiled_test(part.where)
            return InboundMatcher(frozenset(), True, part.number, part.channel, where)
        case OnIncoming():
            return InboundMatcher(frozenset(), None, None, part.channel, compiled_test(part.where))


def _words(keywords: Iterable[str]) -> frozenset[str]:
    return frozenset(map(keyword, keywords))
