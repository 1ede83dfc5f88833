"""A small space for streams: a user who fills a cart and does not order in an hour is reminded."""

from __future__ import annotations

from typing import Any

import msgspec

from transforms.flows.catalog.control_log import records_of
from transforms.flows.protocol import control_records
from transforms.flows.reading.project import load_project
from transforms.hosting.catalogs import FixedLogs

SPACE = "shop"
SLACK = 10_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
TEN = 1_790_762_400_000
"""2026-09-30 10:00 UTC."""

FILES = {
    "space.yaml": """
space: shop
slack: 10s
channels:
  log: {address: user}
""",
    "messages/note.liquid": "Your cart waits.\n",
    "remind.yaml": """
flow: remind
enter:
  - event: Cart
goals:
  ordered: {event: Order, within: 2d}
steps:
  ordering: {wait_for: [{event: Order, then: thanks}], timeout: {after: 1h, then: reminder}}
  reminder: {send: log, template: note, then: done}
  thanks: {wait: 30d, then: done}
  done: {end: done}
""",
}


def log_lines(settings: str = "") -> tuple[bytes, ...]:
    """Publish and start the flow, with more settings of the space; return the lines of the log."""
    project = load_project(FILES | {"space.yaml": FILES["space.yaml"] + settings})
    assert not [p for p in project.problems if p.severity == "error"], project.problems
    records = records_of(
        {"remind": project.flow_text("remind")},
        project.space_text,
        {"remind": project.template_texts("remind")},
    )
    return tuple(control_records.encode_line(record) for record in records)


LINES = log_lines()
LOGS = FixedLogs({SPACE: LINES})
AT_ONCE_LINES = log_lines("order: arrival\n")
AT_ONCE = FixedLogs({SPACE: AT_ONCE_LINES})
"""The same flow in a space that handles signals in order of arrival."""


def track(ident: str, user: str, name: str, at: int, **more: Any) -> bytes:
    """Return an event as a publisher writes it."""
    body = {"type": "track", "messageId": ident, "userId": user, "timestamp": at, "event": name}
    return msgspec.json.encode(body | more)
