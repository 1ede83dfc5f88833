"""Flows as one file: a YAML text that holds the files of flows, each as it is.

It is read within bounds, names only files that may stand in a folder of flows, and what is
written is read back as the same bytes.
"""

from __future__ import annotations

import re

import msgspec
import yaml

from transforms.flows.diagnostics import Loaded, Report, Source
from transforms.flows.reading.nodes import Mapping, Node, Scalar, Sequence, compose

VERSION = 1
MAX_CHARACTERS = 4 * 1024 * 1024
MAX_FILES = 1000
ENDING = ".towpath"

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}"
_FILE = re.compile(rf"messages/{_NAME}\.liquid|({_NAME}/)?{_NAME}(\.yaml|\.scenarios\.txt)")
QUOTE = '"'
_KEYS = ("towpath", "flows", "files")
_HEAD = "# Flows of Towpath in one file; `towpath import FILE --into FOLDER` unpacks it.\n"


class Archive(msgspec.Struct, frozen=True, gc=False):
    """Flows by their ids, and the texts of all their files by path, with ``/`` between folders."""

    flows: tuple[str, ...]
    files: dict[str, str]


def write(portable: Archive) -> str:
    """Write the one file: the files in the order given, each line by line."""
    flows = ", ".join(portable.flows)
    lines = [_HEAD, f"towpath: {VERSION}\n", f"flows: [{flows}]\n", "files:\n"]
    return "".join([*lines, *(_entry(path, text) for path, text in portable.files.items())])


def _entry(path: str, text: str) -> str:
    """Write one file: its lines, indented, or one quoted text where lines would not hold it."""
    indent = "2" if text[:1] in (" ", "\n") else ""
    ends = "" if text.rstrip("\n") + "\n" == text else "+" if text.endswith("\n") else "-"
    lines = text.removesuffix("\n").split("\n")
    body = "".join(f"    {line}\n" if line else "\n" for line in lines)
    entry = f"  {path}: |{indent}{ends}\n{body}"
    if _says(entry, path, text):
        return entry
    return f"  {path}: {yaml.safe_dump(text, default_style=QUOTE, width=2**31).rstrip()}\n"


def _says(entry: str, path: str, text: str) -> bool:
    try:
        return bool(yaml.safe_load(entry) == {path: text})
    except yaml.YAMLError:
        return False


def read(path: str, text: str) -> Loaded[Archive]:
    """Read such a file; every problem at its place."""
    report = Report(Source(path, text))
    root = compose(report, MAX_CHARACTERS)
    if root is None:
        return report.done(None)
    if not isinstance(root, Mapping) or root.get("towpath") is None:
        report.add(root.span, "not-portable", "this is no file of `towpath export`")
        return report.done(None)
    _version(report, root)
    for key, _ in root.items:
        if key.text not in _KEYS:
            report.add(key.span, "unknown-key", f'such a file has no "{key.text}"')
    files = _files(report, root)
    flows = _flows(report, root.get("flows"), files)
    return report.done(Archive(flows, files))


def _version(report: Report, root: Mapping) -> None:
    node = root.get("towpath")
    if node is not None and not (isinstance(node, Scalar) and node.text == str(VERSION)):
        said = f"version {VERSION} can be read here, and this is another"
        report.add(node.span, "unknown-version", said, "take a newer Towpath")


def _files(report: Report, root: Mapping) -> dict[str, str]:
    node = root.get("files")
    if not isinstance(node, Mapping) or not node.items:
        report.add(root.span, "missing-key", 'such a file needs "files": paths with their texts')
        return {}
    if len(node.items) > MAX_FILES:
        report.add(node.span, "too-many-files", f"there are more than {MAX_FILES} files")
        return {}
    found: dict[str, str] = {}
    for key, value in node.items:
        if not _FILE.fullmatch(key.text):
            known = "write NAME.yaml, NAME.scenarios.txt or messages/NAME.liquid"
            said = f'"{key.text}" is no file that may stand beside a flow'
            report.add(key.span, "file-name", said, known)
        elif not isinstance(value, Scalar):
            report.add(value.span, "wrong-kind", f"{key.text} is not a text", "write it after |")
        else:
            found[key.text] = value.text
    return found


def _flows(report: Report, node: Node | None, files: dict[str, str]) -> tuple[str, ...]:
    """Read the ids; each is the name of one of the files."""
    if not isinstance(node, Sequence) or not node.items:
        span = (0, 1) if node is None else node.span
        report.add(span, "missing-key", 'such a file needs "flows": a list of ids')
        return ()
    found = []
    for item in node.items:
        if not isinstance(item, Scalar):
            report.add(item.span, "wrong-kind", "the id of a flow is a text")
        elif f"{item.text}.yaml" not in files:
            said = f'there is no file for the flow "{item.text}"'
            report.add(item.span, "missing-file", said, f"add {item.text}.yaml to the files")
        else:
            found.append(item.text)
    return tuple(found)
