"""What triggers and cases hear of messages and calls, compiled (R13)."""

from __future__ import annotations

from collections.abc import Iterable

from transforms.flows.catalog.compiled import InboundMatcher
from transforms.flows.definitions.steps.branches import MatchMessage
from transforms.flows.definitions.steps.waits import Case, CaseCall, CaseInbound
from transforms.flows.definitions.triggers.messages import OnCall, OnInbound, OnIncoming
from transforms.flows.definitions.values import keyword
from transforms.flows.expressions.evaluation.compile import compile_condition


def case_matchers(cases: Iterable[Case]) -> tuple[InboundMatcher | None, ...]:
    """Compile the cases of a wait that hear what users send; there are none in most waits."""
    ears = tuple(
        inbound_matcher(case) if isinstance(case, CaseInbound | CaseCall) else None
        for case in cases
    )
    return ears if any(ears) else ()


def keyword_matchers(verb: MatchMessage) -> tuple[InboundMatcher, ...]:
    """Compile the branches of a ``match_message``."""
    return tuple(InboundMatcher(_words(case.keywords)) for case in verb.cases)


def inbound_matcher(
    said: CaseInbound | CaseCall | OnInbound | OnCall | OnIncoming,
) -> InboundMatcher:
    """Compile what a trigger or a case hears."""
    where = compile_condition(said.where).test if said.where is not None else None
    match said:
        case CaseInbound() | OnInbound():
            return InboundMatcher(_words(said.keywords), False, said.number, said.channel, where)
        case CaseCall() | OnCall():
            return InboundMatcher(frozenset(), True, said.number, said.channel, where)
        case OnIncoming():
            return InboundMatcher(frozenset(), None, None, said.channel, where)


def _words(keywords: Iterable[str]) -> frozenset[str]:
    return frozenset(map(keyword, keywords))
