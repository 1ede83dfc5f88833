"""Avro schemas of every record that arrives or leaves, one file each, loaded by name.

Times are timestamp-millis; a map of free form is a string that holds JSON, marked ``"json": true``.
``time`` names the field that partitions a table, ``order`` the fields that sort it.
No schema refers to itself: a decoder must not be led into endless depth.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, cast

Schema = dict[str, Any]

INPUTS = (
    "event",
    "profile_change",
    "audience_change",
    "communication_update",
    "inbound",
    "enter",
    "call_result",
    "command",
    "handover_in",
    "forwarded_in",
    "alias",
)
OUTPUTS = (
    "message",
    "cancel",
    "webhook",
    "export",
    "flow_state",
    "profile_update",
    "audience_update",
    "transition",
    "communication",
    "conversion",
    "rejection",
    "dead_letter",
    "call",
    "handover",
    "emitted",
    "participant_update",
    "forwarded",
    "erased",
    "state_export",
)
METRICS = ("step_metric", "flow_metric")
CONTROL = ("control_record",)
NAMES = INPUTS + OUTPUTS + METRICS + CONTROL


@cache
def load(name: str) -> Schema:
    """Load a schema as JSON; KeyError if there is none of that name."""
    if name not in NAMES:
        raise KeyError(f"no schema {name!r}; there are {', '.join(NAMES)}")
    text = (resources.files("schemas") / f"{name}.avsc").read_text("utf-8")
    return cast(Schema, json.loads(text))


@cache
def parsed(name: str) -> Schema:
    """Load a schema as fastavro reads and writes with it."""
    import fastavro.schema

    return cast(Schema, fastavro.schema.parse_schema(load(name)))
