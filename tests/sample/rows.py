"""The rows that a run wrote, in the form of ``oracle.facts``, so that the two compare as sets.

A row is a mapping with its kind under ``is``: ``msgspec.to_builtins(output)``, or a row of a
Parquet file. Kinds and columns that the oracle does not have are ignored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

Facts = dict[str, set[tuple[object, ...]]]


class NotUnique(AssertionError):
    """Two rows of a run are equal: a set would count them once."""


def facts(rows: Iterable[Mapping[str, Any]]) -> Facts:
    """Convert rows of any kinds to facts; a duplicate fact is an error."""
    found: Facts = defaultdict(set)
    for row in rows:
        told = _fact(row)
        if told is None:
            continue
        kind, fact = told
        if fact in found[kind]:
            raise NotUnique(f"{kind} {fact} is there twice")
        found[kind].add(fact)
    return found


def _fact(row: Mapping[str, Any]) -> tuple[str, tuple[object, ...]] | None:
    who = (row.get("flow"), row["user"], row["at"])
    match row["is"], row:
        case "transition", {"what": "entered", "silent": silent}:
            return "entered", (*who, silent)
        case "transition", {"what": "reached", "step": step}:
            return "reached", (*who, step)
        case "transition", {"what": "ended", "reason": reason}:
            return "ended", (*who, reason)
        case "message", {"step": step}:
            return "decided", (*who, step)
        case "communication", {"reason": "holdout", "step": step}:
            return "withheld", (*who, step)
        case "conversion", {"value": value}:
            return "converted", (*who, int(Decimal(str(value)) * 100))
        case "rejection", {"reason": reason}:
            return "refused", (*who, reason)
        case _:
            return None
