"""The flows, the log and the commands of the tests of ``towpath flows``."""

from __future__ import annotations

import pytest

from towpath.cli.main import main
from towpath.control.store import store_of
from transforms.flows.protocol.control_records import (
    ControlRecord,
)

SPACE = "space: shop\nzone: Europe/Berlin\nchannels:\n  log: {address: user}\n"
REMIND = """\
flow: remind
enter: [{event: Cart}]
goals:
  ordered: {event: Order, within: 2d}
steps:
  ordering: {wait_for: [{event: Order, then: over}], timeout: {after: 1h, then: style}}
  style: {split: {plain: 50%, bold: 50%}, then: {plain: plain, bold: bold}}
  plain: {send: log, template: note, then: over}
  bold: {send: log, template: note, then: over}
  over: {end: done}
"""
THANK = "flow: thank\nenter: [{event: Order}]\nsteps:\n  pause: {wait: 30d}\n"
CONTROL = "control.jsonl"
AT = ["--at", "2030-01-01T09:00"]

Out = pytest.CaptureFixture[str]


def flows(*words: str) -> int:
    """Run a command."""
    return main(["flows", *words])


def records() -> tuple[ControlRecord, ...]:
    return store_of(CONTROL).read().records
