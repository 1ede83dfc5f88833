"""Reads Terraform files: their blocks, what they refer to, and their layout."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2
import msgspec

Body = dict[str, Any]
"""Arguments and blocks; a block is a list of bodies, one for each time that it is there."""

COMMENTS = ("__comments__", "__inline_comments__")
BLOCK = "__is_block__"
INDENT = 2


class Block(msgspec.Struct, frozen=True):
    """A block at the top of a file, such as ``resource "google_pubsub_topic" "output"``."""

    kind: str
    labels: tuple[str, ...]
    body: Body
    path: Path

    @property
    def address(self) -> str:
        """Return the name by which other blocks refer to it."""
        match self.kind:
            case "resource":
                return ".".join(self.labels)
            case "variable":
                return f"var.{self.labels[0]}"
            case kind:
                return ".".join((kind, *self.labels))


def blocks_of(folder: Path) -> list[Block]:
    """Parse all files of a folder."""
    return [
        Block(kind, labels, body, path)
        for path in sorted(folder.glob("*.tf"))
        for kind, each in hcl2.loads(path.read_text()).items()
        if kind not in COMMENTS
        for one in each
        for labels, body in _labelled(one)
    ]


def _labelled(one: Body, labels: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Body]]:
    if BLOCK in one:
        yield labels, _plain(one)
    else:
        for label, inner in one.items():
            if label not in COMMENTS:
                yield from _labelled(inner, (*labels, label.strip('"')))


def _plain(value: Any) -> Any:
    """Leave out comments, and the quotes of texts."""
    if isinstance(value, dict):
        return {
            key.strip('"'): _plain(inner)
            for key, inner in value.items()
            if key not in (*COMMENTS, BLOCK)
        }
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def is_block(value: Any) -> bool:
    """Return True for a nested block; it could also be a list of objects, which no resource has."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


REFERENCE = re.compile(
    r"(?<![\w.\"/-])(?:(data)\.)?(var|local|google_\w+|module)\.(\w+)((?:\[[^\]]*\]|\.\w+)*)"
)


def references(path: Path) -> set[str]:
    """List what a file refers to: ``var.x``, ``local.x``, ``google_y.x`` or ``data.google_y.x``."""
    return {
        ".".join(part for part in (data, kind, name) if part)
        for data, kind, name, _ in REFERENCE.findall(_code(path))
    }


def attributes_used(path: Path) -> set[tuple[str, str]]:
    """List the attributes of resources that a file uses, such as ``(google_pubsub_topic, id)``."""
    found = set()
    for _, kind, _, rest in REFERENCE.findall(_code(path)):
        names = re.findall(r"\.(\w+)", re.sub(r"\[[^\]]*\]", "", rest))
        if kind.startswith("google_") and names:
            found.add((kind, names[0]))
    return found


def _code(path: Path) -> str:
    """Return the text without comments."""
    return re.sub(r"^\s*#.*$", "", path.read_text(), flags=re.MULTILINE)


def layout_problems(path: Path) -> Iterator[str]:
    """Find what ``terraform fmt`` would change, as far as indents and the columns of ``=`` go."""
    depth, column, last = 0, None, -1
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        code = re.sub(r'"(?:[^"\\]|\\.)*"', '""', line).partition("#")[0].rstrip()
        text = line.strip()
        if not text:
            continue
        closing = len(code.strip()) - len(code.strip().lstrip("}])"))
        indent = INDENT * (depth - (1 if closing else 0))
        if len(line) - len(line.lstrip()) != indent or line != line.rstrip() or "\t" in line:
            yield f"{path.name}:{number}: indent is not {indent}"
        assigned = re.match(r"\s*[\w-]+ +=(?= )", code)
        if assigned and code[-1] not in "{[(":
            if last == number - 1 and column not in (None, assigned.end()):
                yield f"{path.name}:{number}: = is not in the column of the line before"
            column, last = assigned.end(), number
        depth += _opened(code)


def _opened(code: str) -> int:
    """Return by how many levels the next line is deeper: brackets opened in one line are one level."""
    opened = sum(map(code.count, "{[(")) - sum(map(code.count, "}])"))
    return max(-1, min(1, opened))
