"""The JSON Schemas read as tables: each key with the kind of its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

PLACES = {
    "expression": "[expression](expressions.md)",
    "duration": "[duration](times.md#durations)",
    "in_visit": "duration `in visit`",
    "moment": "[moment](times.md#moments)",
    "window": "[window](times.md#windows)",
    "limit": "[limit](times.md#limits-and-caps)",
    "date": "date",
    "percent": "percentage",
    "share": "share",
    "step_name": "step",
    "text": "text",
    "type": "type",
    "reenter": "`never`, or a [map](#reenter)",
    "schedule": "[map](#schedule)",
    "trigger": "[trigger](#enter)",
    "exit": "[exit rule](#exit)",
    "goal": "[goal](#goals)",
    "step": "[step](#steps)",
    "case": "[case](#cases)",
    "if_case": "case",
    "keyword_case": "case",
    "one_or_more": "text, or a list of them",
    "number": "[number](#numbers)",
    "match": "event",
    "channel": "[channel](#channels)",
    "agent": "[agent](#agents)",
    "topic": "[topic](#topics)",
    "cap": "[cap](#caps)",
    "group": "[group](#groups)",
    "audience": "[audience](#audiences)",
    "campaign": "[campaign](#campaigns)",
    "connection": "[connection](#connections)",
    "destination": "[destination](#destinations)",
    "auth": "map, see below",
}
"""The name of each part of the schema, with a link to its explanation."""

KINDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "string": "text",
}


def kind(schema: Schema) -> str:
    """Describe the type of a value."""
    match schema:
        case {"$ref": str(name)}:
            return PLACES[name.rpartition("/")[2]]
        case {"enum": options}:
            return " or ".join(f"`{option}`" for option in options)
        case {"anyOf": options}:
            return ", or ".join(kind(option) for option in options)
        case {"const": value}:
            return f"`{str(value).lower()}`"
        case {"type": "array", "items": items}:
            return f"list of {kind(items)}"
        case {"type": "object", "additionalProperties": False, "properties": keys}:
            return f"map of {', '.join(f'`{key}`' for key in keys)}"
        case {"type": "object", "additionalProperties": value}:
            return f"map of names to {kind(value)}"
        case {"type": name}:
            return KINDS[str(name)]
    raise ValueError(f"no words for {schema}")


def needed(schema: Schema, key: str) -> bool:
    """Return True if a key is required."""
    return key in schema.get("required", ())
