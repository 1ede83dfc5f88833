"""The space's file: its sections, each of which refers to those before it."""

from __future__ import annotations

from typing import Any

import msgspec

from transforms.flows.definitions.space import SPACE, Space
from transforms.flows.diagnostics import Loaded, Report, Source
from transforms.flows.reading.forms.messages import check_agent
from transforms.flows.reading.keys import Keys, keys_of
from transforms.flows.reading.names import Known, of_space
from transforms.flows.reading.nodes import Mapping, Scalar, compose, entries
from transforms.flows.reading.secret_values import hide_secrets
from transforms.flows.reading.shapes import read_fields
from transforms.flows.reading.values import Reading


def load_space(path: str, text: str) -> Loaded[Space]:
    """Read a space from the text of its file."""
    return load_space_partly(path, text)[1]


def load_space_partly(path: str, text: str) -> tuple[Space | None, Loaded[Space]]:
    """Read a space; return also what could be read of one with errors, to check flows with it."""
    report = Report(Source(path, text))
    node = compose(report)
    hide_secrets(report, node)
    keys = keys_of(Reading(report, Known()), node, "the space") if node is not None else None
    space = None if keys is None else _space(keys)
    return space, report.done(space)


def _space(keys: Keys) -> Space:
    values: dict[str, Any] = {}
    declared: Space = SPACE.make(values)
    named = {
        section: frozenset(key.text for key, _ in entries(keys.node.get(section)))
        for section in ("audiences", "connections")
    }
    for field in SPACE.fields:
        known = msgspec.structs.replace(of_space(declared), **named)
        keys.reading = Reading(keys.reading.report, known)
        values |= read_fields(keys, (field,))[0]
        declared = SPACE.make(values)
    keys.close()
    agents = {agent.name: agent.channel for agent in declared.agents}
    for channel, value in entries(keys.node.get("channels")):
        agent = value.get("agent") if isinstance(value, Mapping) else None
        if isinstance(agent, Scalar):
            check_agent(keys.reading, agent, agents, (channel.text,))
    return declared
