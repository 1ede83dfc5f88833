"""The result of each operator for two values: True, False, or None if their types do not fit.

Missing values are handled before: they make every comparison false (R17).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

Relation = Callable[[Any, Any], bool | None]

KINDS: Final[dict[type, str]] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "boolean",
    list: "list",
    tuple: "list",
    dict: "map",
}


def _same(compare: Callable[[Any, Any], bool]) -> Relation:
    def relation(left: Any, right: Any) -> bool | None:
        if KINDS.get(left.__class__) != KINDS.get(right.__class__):
            return None
        return compare(left, right)

    return relation


def _ordered(compare: Callable[[Any, Any], bool]) -> Relation:
    def relation(left: Any, right: Any) -> bool | None:
        kind_of_left = KINDS.get(left.__class__)
        if kind_of_left != KINDS.get(right.__class__) or kind_of_left not in ("number", "text"):
            return None
        return compare(left, right)

    return relation


def _texts(compare: Callable[[str, str], bool]) -> Relation:
    def relation(left: Any, right: Any) -> bool | None:
        if not isinstance(left, str) or not isinstance(right, str):
            return None
        return compare(left, right)

    return relation


def _is_in(left: Any, right: Any) -> bool | None:
    if not isinstance(right, (list, tuple)):
        return None
    own = KINDS.get(left.__class__)
    if own not in ("text", "number", "boolean"):
        return None
    fits = [item for item in right if KINDS.get(item.__class__) == own]
    return left in fits if fits or not right else None


def _contains(left: Any, right: Any) -> bool | None:
    if isinstance(left, str):
        return right in left if isinstance(right, str) else None
    if isinstance(left, (list, tuple)):
        own = KINDS.get(right.__class__)
        return any(KINDS.get(item.__class__) == own and item == right for item in left)
    return None


def _contains_several(join: Callable[[list[bool]], bool]) -> Relation:
    def relation(left: Any, right: Any) -> bool | None:
        if not isinstance(right, (list, tuple)):
            return None
        results = [_contains(left, item) for item in right]
        if not results and not isinstance(left, (str, list, tuple)):
            return None
        if any(result is None for result in results):
            return None
        return join([result is True for result in results])

    return relation


def fold(value: Any) -> Any:
    """Fold the case of a text, or of the texts in a list."""
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, (list, tuple)):
        return [item.casefold() if isinstance(item, str) else item for item in value]
    return value


def _folded(relation: Relation) -> Relation:
    def ignoring(left: Any, right: Any) -> bool | None:
        return relation(fold(left), fold(right))

    return ignoring


def _negated(relation: Relation) -> Relation:
    def negated(left: Any, right: Any) -> bool | None:
        result = relation(left, right)
        return None if result is None else not result

    return negated


_equal_texts: Final = _texts(operator.eq)
_different_texts: Final = _texts(operator.ne)

RELATIONS: Final[dict[str, Relation]] = {
    "==": _same(operator.eq),
    "!=": _same(operator.ne),
    "i==": _folded(_equal_texts),
    "i!=": _folded(_different_texts),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
}
for _name, _relation in {
    "in": _is_in,
    "contains": _contains,
    "contains any": _contains_several(any),
    "contains all": _contains_several(all),
    "starts with": _texts(str.startswith),
    "ends with": _texts(str.endswith),
}.items():
    RELATIONS[_name] = _relation
    RELATIONS[f"not {_name}"] = _negated(_relation)
    RELATIONS[f"i{_name}"] = _folded(_relation)
    RELATIONS[f"not i{_name}"] = _negated(_folded(_relation))

DATES: Final[dict[str, Callable[[int, int], bool]]] = {
    "before": operator.lt,
    "until": operator.le,
    "since": operator.ge,
    "after": operator.gt,
}
