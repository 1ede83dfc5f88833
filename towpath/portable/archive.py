"""An archive of flows: one YAML file that contains the files of flows unchanged.

Its size is limited, it may contain only files that belong into a folder of flows, and reading
it gives the same bytes that were written.
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
_FILE = re.compile(rf"({_NAME}/)?(messages/{_NAME}\.liquid|{_NAME}(\.yaml|\.scenarios\.txt))")
QUOTE = '"'
_KEYS = ("towpath", "flows", "files")
_HEAD = "# Flows of Towpath in one file; `towpath import FILE --into FOLDER` unpacks it.\n"


class Archive(msgspec.Struct, frozen=True, gc=False):
    """The ids of the flows, and the texts of all their files by path (separated by ``/``)."""

    flows: tuple[str, ...]
    files: dict[str, str]


def write(archive: Archive) -> str:
    """Return the text of an archive, with the files in the given order."""
    flows = ", ".join(archive.flows)
    lines = [_HEAD, f"towpath: {VERSION}\n", f"flows: [{flows}]\n", "files:\n"]
    return "".join([*lines, *(_entry(path, text) for path, text in archive.files.items())])


def _entry(path: str, text: str) -> str:
    """Format one file as a YAML block, or as a quoted text if a block cannot represent it."""
    indent = "2" if text[:1] in (" ", "\n") else ""
    ends = "" if text.rstrip("\n") + "\n" == text else "+" if text.endswith("\n") else "-"
    lines = text.removesuffix("\n").split("\n")
    body = "".join(f"    {line}\n" if line else "\n" for line in lines)
    entry = f"  {path}: |{indent}{ends}\n{body}"
    if _parses_to(entry, path, text):
        return entry
    return f"  {path}: {yaml.safe_dump(text, default_style=QUOTE, width=2**31).rstrip()}\n"


def _parses_to(entry: str, path: str, text: str) -> bool:
    try:
        return bool(yaml.safe_load(entry) == {path: text})
    except yaml.YAMLError:
        return False


def read(path: str, text: str) -> Loaded[Archive]:
    """Read an archive; every problem has its location."""
    report = Report(Source(path, text))
    root = compose(report, MAX_CHARACTERS)
    if root is None:
        return report.done(None)
    if not isinstance(root, Mapping) or root.get("towpath") is None:
        report.add(root.span, "not-portable", "this is not a file written by `towpath export`")
        return report.done(None)
    _version(report, root)
    for key, _ in root.items:
        if key.text not in _KEYS:
            report.add(key.span, "unknown-key", f'unknown key "{key.text}"')
    files = _files(report, root)
    flows = _flows(report, root.get("flows"), files)
    return report.done(Archive(flows, files))


def _version(report: Report, root: Mapping) -> None:
    node = root.get("towpath")
    if node is not None and not (isinstance(node, Scalar) and node.text == str(VERSION)):
        message = f"unknown version; this Towpath reads version {VERSION}"
        report.add(node.span, "unknown-version", message, "use a newer Towpath")


def _files(report: Report, root: Mapping) -> dict[str, str]:
    node = root.get("files")
    if not isinstance(node, Mapping) or not node.items:
        report.add(root.span, "missing-key", '"files" is missing: a mapping from path to text')
        return {}
    if len(node.items) > MAX_FILES:
        report.add(node.span, "too-many-files", f"there are more than {MAX_FILES} files")
        return {}
    found: dict[str, str] = {}
    for key, value in node.items:
        if not _FILE.fullmatch(key.text):
            known = "write NAME.yaml, NAME.scenarios.txt or messages/NAME.liquid"
            message = f'"{key.text}" is not allowed as a file of a flow'
            report.add(key.span, "file-name", message, known)
        elif not isinstance(value, Scalar):
            report.add(value.span, "wrong-kind", f"{key.text} is not a text", "write it after |")
        else:
            found[key.text] = value.text
    return found


def _flows(report: Report, node: Node | None, files: dict[str, str]) -> tuple[str, ...]:
    """Read the ids; each must have its file."""
    if not isinstance(node, Sequence) or not node.items:
        span = (0, 1) if node is None else node.span
        report.add(span, "missing-key", '"flows" is missing: a list of ids')
        return ()
    found = []
    for item in node.items:
        if not isinstance(item, Scalar):
            report.add(item.span, "wrong-kind", "a flow id must be a text")
        elif f"{item.text}.yaml" not in files:
            message = f'there is no file for the flow "{item.text}"'
            report.add(item.span, "missing-file", message, f"add {item.text}.yaml to the files")
        else:
            found.append(item.text)
    return tuple(found)
