"""The library of flow templates: one folder each, with space, messages and scenarios."""

from __future__ import annotations

import re
from pathlib import Path

import towpath
from towpath.cli import common
from towpath.portable.packing import definitions
from towpath.scenario_files import ENDING
from transforms.flows.reading.project import load_project

BLANK = "blank"
"""The minimal template; its flow can be renamed."""


def library() -> Path:
    """Return the folder of the templates: in the installed package, or in a checkout."""
    package = Path(towpath.__file__).parent
    homes = (package / "flow_defs", package.parent / "flow_defs")
    return next(home for home in homes if home.is_dir()) / "templates"


def names() -> list[str]:
    """List the templates, the blank one first."""
    found = sorted(path.parent.name for path in library().glob("*/space.yaml"))
    return [BLANK, *(name for name in found if name != BLANK)]


def files(name: str) -> dict[str, str]:
    """Read the files of a template by their paths in it."""
    home = library() / name
    kinds = ("*.yaml", f"*{ENDING}", "messages/*.liquid")
    paths = [path for kind in kinds for path in sorted(home.glob(kind))]
    return {path.relative_to(home).as_posix(): common.read_text(path) for path in paths}


def about(name: str) -> str:
    """Return the description of a template's flow."""
    flows = load_project(definitions(files(name))).flows
    return next(flow.about for flow in flows if flow.id == name)


def renamed(found: dict[str, str], name: str) -> dict[str, str]:
    """Rename the flow of the blank template."""
    blank = re.compile(rf"\b{BLANK}\b")
    return {blank.sub(name, path): blank.sub(name, text) for path, text in found.items()}
