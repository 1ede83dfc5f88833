"""Scenario files on disk, with the flows, templates and other files that stand beside them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import msgspec

from towpath.cli.common import read_text
from transforms.flows.reading.project import Project, load_project
from transforms.hosting import sandbox

ENDING = ".scenarios.txt"
MESSAGES = "messages"


class Folder(msgspec.Struct, frozen=True, gc=False):
    """What stands beside a scenario file: the project, and every YAML file by its path there."""

    project: Project
    texts: dict[str, str]


@lru_cache(maxsize=64)
def folder(path: Path) -> Folder:
    """Read a folder: its flows and space, its messages, and the YAML files below it."""
    here = sorted(p for p in path.glob("*.yaml") if p.is_file())
    messages = sorted((path / MESSAGES).glob("*.liquid"))
    files = {p.as_posix(): read_text(p) for p in (*here, *messages)}
    below = sorted(p for p in path.glob("*/*.yaml") if p.is_file())
    texts = {p.relative_to(path).as_posix(): read_text(p) for p in (*here, *below)}
    return Folder(load_project(files, sandbox.check_source), texts)
