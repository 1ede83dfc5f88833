"""What triggers and cases hear of messages and calls, compiled (R13)."""

from __future__ import annotations

from collections.abc import Iterable

from transforms.flows.catalog.compiled import Ear, keyword
from transforms.flows.definitions.triggers import OnCall, OnInbound, OnIncoming
from transforms.flows.definitions.verbs import Case, CaseCall, CaseInbound, MatchMessage
from transforms.flows.expressions.evaluation.compile import compile_condition


def ears_of(cases: Iterable[Case]) -> tuple[Ear | None, ...]:
    """Compile the cases of a wait that hear what users send; there are none in most waits."""
    ears = tuple(
        ear_of(case) if isinstance(case, CaseInbound | CaseCall) else None for case in cases
    )
    return ears if any(ears) else ()


def words_of(verb: MatchMessage) -> tuple[Ear, ...]:
    """Compile the branches of a ``match_message``."""
    return tuple(Ear(_words(case.keywords)) for case in verb.cases)


def ear_of(
    said: CaseInbound | CaseCall | OnInbound | OnCall | OnIncoming,
) -> Ear:
    """Compile what a trigger or a case hears."""
    where = compile_condition(said.where).test if said.where is not None else None
    match said:
        case CaseInbound() | OnInbound():
            return Ear(_words(said.keywords), False, said.number, said.channel, where)
        case CaseCall() | OnCall():
            return Ear(frozenset(), True, said.number, said.channel, where)
        case OnIncoming():
            return Ear(frozenset(), None, None, said.channel, where)


def _words(keywords: Iterable[str]) -> frozenset[str]:
    return frozenset(map(keyword, keywords))
