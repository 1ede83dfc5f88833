"""The leaves of the JSON Schemas: how each kind of value looks in a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from transforms.flows.clock.delays import UNIT

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SCALARS = ["string", "number", "boolean"]


def ref(name: str) -> Schema:
    """Refer to a part by its name."""
    return {"$ref": f"#/$defs/{name}"}


def map_of(value: Schema) -> Schema:
    """Return the schema of a mapping from any name to a kind of value."""
    return {"type": "object", "additionalProperties": value}


def closed(properties: Schema, required: Iterable[str] = ()) -> Schema:
    """Return the schema of a mapping that has no other keys than these."""
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    names = list(dict.fromkeys(required))
    return {**made, "required": names} if names else made


PARTS: Schema = {
    "text": {"type": _SCALARS},
    "one_or_more": {
        "anyOf": [{"type": _SCALARS}, {"type": "array", "minItems": 1, "items": ref("text")}]
    },
    "expression": {
        "description": 'An expression, for example `event.total >= 20 and user.plan == "free"`.',
        "type": _SCALARS,
        "examples": ["event.value >= 20", "user.phone is set"],
    },
    "step_name": {"description": "The name of a step of this flow.", "type": "string"},
    "duration": {
        "description": "A duration: exact (`30m`, `12h`, `2 days`) or by the calendar (`1mo`, "
        "`2 days at 09:00`).",
        "type": "string",
        "pattern": rf"^\s*\d{{1,8}}\s*{UNIT}(\s+at\s+\d{{1,2}}:\d\d)?\s*$",
        "examples": ["30m", "12h", "2d", "1 week", "1mo", "2 days at 09:00"],
    },
    "in_visit": {
        "description": "A fixed length of time within a visit of the user's.",
        "type": "string",
        "pattern": rf"^\s*\d{{1,8}}\s*{UNIT}\s+in\s+visit\s*$",
        "examples": ["20s in visit", "5m in visit"],
    },
    "moment": {
        "description": "A time of day, a weekday and time, a date, or a date of the user.",
        "type": "string",
        "examples": ["09:00", "mon-fri 09:00", "2026-12-24 09:00", "user.birthday - 3d at 09:00"],
    },
    "window": {
        "description": "Days and hours when something may happen, in the user's zone or a fixed one.",
        "type": "string",
        "examples": [
            "09:00-18:00",
            "mon,wed,fri 14:00-16:00",
            "mon-fri 09:00-18:00, sat from 10:00",
            "mon-fri 09:00-18:00 Europe/Rome",
        ],
    },
    "limit": {
        "description": "At most so many within a period: `2 per 7d`, `1 per day`.",
        "type": "string",
        "pattern": r"^\s*\d{1,6}\s+per\s+\S.*$",
        "examples": ["2 per 7d", "1 per day"],
    },
    "date": {
        "description": "A local date or date and time, in the flow's zone.",
        "type": "string",
        "examples": ["2026-12-31", "2026-12-31T18:00"],
    },
    "percent": {"type": "string", "pattern": r"^\s*\d{1,3}\s*%\s*$", "examples": ["10%"]},
    "share": {
        "description": "The share of a branch in percent, to a tenth; a holdout gets nothing, the rest "
        "takes no part in the test.",
        "type": "string",
        "pattern": r"^\s*\d{1,3}(\.\d)?\s*%(\s+(holdout|rest))?\s*$",
        "examples": ["50%", "0.5%", "10% holdout", "60% rest"],
    },
    "type": {"enum": ["text", "number", "boolean", "time", "list"]},
}
"""Kinds of values by name."""
