"""Keywords and numbers that two flows claim: only one flow can own each (I8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

import msgspec

from transforms.flows.definitions.flow import Flow
from transforms.flows.definitions.space import Space
from transforms.flows.definitions.triggers.kinds import Trigger
from transforms.flows.definitions.triggers.messages import OnCall, OnInbound
from transforms.flows.definitions.values import keyword

Exact = OnInbound | OnCall


class Claim(msgspec.Struct, frozen=True, gc=False):
    """What one trigger of a flow claims; ``number`` is its place in the list of triggers."""

    flow: str
    number: int
    trigger: Exact


class Clash(msgspec.Struct, frozen=True, gc=False):
    """Two claims to the same thing; ``what`` describes it."""

    one: Claim
    other: Claim
    what: str


def clashes(flows: Iterable[Flow], space: Space) -> Iterator[Clash]:
    """Yield what more than one of these flows claims."""
    claims_by_word: dict[str | None, list[Claim]] = {}
    for flow in flows:
        for number, trigger in enumerate(flow.enter):
            for word in _words(trigger):
                assert isinstance(trigger, Exact)
                claims_by_word.setdefault(word, []).append(Claim(flow.id, number, trigger))
    for word, claims in claims_by_word.items():
        for one, other in combinations(claims, 2):
            place = _shared(one.trigger, other.trigger, space)
            if one.flow != other.flow and place is not None:
                what = f"calls of {place}" if word is None else f'keyword "{word}" on {place}'
                yield Clash(one, other, what)


def _words(trigger: Trigger) -> Iterator[str | None]:
    """Yield the keywords that a trigger claims, None for calls; ``any`` claims none."""
    match trigger:
        case OnInbound(keywords=keywords):
            yield from dict.fromkeys(map(keyword, keywords))
        case OnCall():
            yield None
        case _:
            pass


def _shared(one: Exact, other: Exact, space: Space) -> str | None:
    """Return the number or channel that two triggers share, if there is one."""
    if None not in (one.number, other.number) and one.number != other.number:
        return None
    if None not in (one.channel, other.channel) and one.channel != other.channel:
        return None
    number, channel = one.number or other.number, one.channel or other.channel
    if number is None:
        return channel
    known = next((n for n in space.numbers if n.name == number), None)
    heard = () if known is None else (*known.messages, *known.calls)
    return number if channel is None or channel in heard else None
