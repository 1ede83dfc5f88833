"""What triggers and cases hear of messages and calls, compiled (R13)."""

from __future__ import annotations

from collections.abc import Iterable

from transforms.flows import model
from transforms.flows.expressions import compile_condition
from transforms.flows.plan import Ear, keyword


def ears_of(cases: Iterable[model.Case]) -> tuple[Ear | None, ...]:
    """Compile the cases of a wait that hear what users send; there are none in most waits."""
    ears = tuple(
        ear_of(case) if isinstance(case, model.CaseInbound | model.CaseCall) else None
        for case in cases
    )
    return ears if any(ears) else ()


def words_of(verb: model.MatchMessage) -> tuple[Ear, ...]:
    """Compile the branches of a ``match_message``."""
    return tuple(Ear(_words(case.keywords)) for case in verb.cases)


def ear_of(
    said: model.CaseInbound | model.CaseCall | model.OnInbound | model.OnCall | model.OnIncoming,
) -> Ear:
    """Compile what a trigger or a case hears."""
    where = compile_condition(said.where).test if said.where is not None else None
    match said:
        case model.CaseInbound() | model.OnInbound():
            return Ear(_words(said.keywords), False, said.number, said.channel, where)
        case model.CaseCall() | model.OnCall():
            return Ear(frozenset(), True, said.number, said.channel, where)
        case model.OnIncoming():
            return Ear(frozenset(), None, None, said.channel, where)


def _words(keywords: Iterable[str]) -> frozenset[str]:
    return frozenset(map(keyword, keywords))
