"""Which parts of the language random worlds and histories contain: kinds, fields, choices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec


def contents(value: object) -> Iterator[str]:
    """Yield what a value contains: kinds of structs, ``Kind.field`` if set, ``Kind.field=choice``."""
    if isinstance(value, msgspec.Struct):
        kind = type(value)
        yield kind.__name__
        defaults = _defaults(kind)
        for name in value.__struct_fields__:
            found = getattr(value, name)
            if name not in defaults or found != defaults[name]:
                yield f"{kind.__name__}.{name}"
            if isinstance(found, str):
                yield f"{kind.__name__}.{name}={found}"
            yield from contents(found)
    elif isinstance(value, dict):
        yield from contents(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from contents(item)


@lru_cache
def _defaults(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        field.name: field.default
        if field.default_factory is msgspec.NODEFAULT
        else field.default_factory()
        for field in msgspec.structs.fields(kind)
        if not field.required
    }


def possible_contents(kinds: Iterable[type[msgspec.Struct]]) -> set[str]:
    """Return everything that values of these kinds can contain, in the form of ``holds``."""
    found: set[str] = set()
    left = list(kinds)
    while left:
        kind = left.pop()
        if kind.__name__ in found:
            continue
        found.add(kind.__name__)
        hints = get_type_hints(kind)
        for name in kind.__struct_fields__:
            found.add(f"{kind.__name__}.{name}")
            for part in _parts(hints[name]):
                if get_origin(part) is Literal:
                    found |= {f"{kind.__name__}.{name}={choice}" for choice in get_args(part)}
                elif isinstance(part, type) and issubclass(part, msgspec.Struct):
                    left.append(part)
    return found


def _parts(hint: Any) -> Iterator[Any]:
    if get_origin(hint) is Literal or not get_args(hint):
        yield hint
        return
    for part in get_args(hint):
        yield from _parts(part)


def members(union: Any) -> tuple[type[msgspec.Struct], ...]:
    """Return the kinds of a closed union."""
    assert get_origin(union) is Union or get_args(union)
    return get_args(union)
