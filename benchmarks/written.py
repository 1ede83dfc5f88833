"""Writes what was measured to the file from which the pages have their figures."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

import msgspec

from benchmarks import sample
from benchmarks.ratios import Figure, Growth, Measured


def write(path: Path, sections: Mapping[str, list[Figure]], growth: Growth | None = None) -> None:
    """Write sections; those that were not measured now stay as they are."""
    kept: dict[str, list[Figure]] = {}
    lines: Growth = {}
    if path.exists():
        before = msgspec.json.decode(path.read_bytes(), type=Measured)
        kept, lines = before.sections, before.growth
    measured = Measured(_machine(), kept | dict(sections), lines | (growth or {}))
    path.write_bytes(msgspec.json.format(msgspec.json.encode(measured)) + b"\n")


def _machine() -> str:
    core = "the core compiled by mypyc" if sample.COMPILED else "the core not compiled"
    return (
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {core}"
    )
