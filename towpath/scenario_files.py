"""Scenario files on disk, with the flows, templates and other files next to them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import msgspec

from towpath.cli.common import read_text
from towpath.cli.projects import is_definition
from transforms.flows.reading.project import Project, load_project
from transforms.hosting import sandbox

ENDING = ".scenarios.txt"
MESSAGES = "messages"
YAML = (".yaml", ".yml")


class Folder(msgspec.Struct, frozen=True, gc=False):
    """The folder of a scenario file: the project, and by relative path what scenarios may publish.

    That is every YAML file, also of subfolders, and the templates of subfolders.
    """

    project: Project
    texts: dict[str, str]


@lru_cache(maxsize=64)
def folder(path: Path) -> Folder:
    """Read a folder: its flows and space, its messages, and the flows and messages in subfolders.

    YAML files without ``flow:``, such as mappings, are not flows.
    """
    found = sorted(p for p in path.glob("*") if p.suffix in YAML and p.is_file())
    here = {p: read_text(p) for p in found if not p.name.startswith(".")}
    messages = {p: read_text(p) for p in sorted((path / MESSAGES).glob("*.liquid"))}
    files = {p.as_posix(): t for p, t in (here | messages).items() if is_definition(p, t)}
    inside = [p for p in path.glob("*/*") if p.suffix in YAML and p.is_file()]
    inside += path.glob(f"*/{MESSAGES}/*.liquid")
    below = {p: read_text(p) for p in sorted(inside)}
    texts = {p.relative_to(path).as_posix(): text for p, text in (here | below).items()}
    return Folder(load_project(files, sandbox.check_source), texts)
