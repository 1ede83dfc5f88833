"""Finds the comments of a YAML text and the entry to which each belongs.

YAML parsers drop comments, so the gaps between the tokens are read. An entry is a key of a
mapping or an item of a list, named by its path.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import msgspec
import yaml

Path = tuple[str | int, ...]

_PIECE = re.compile(r"#[^\r\n]*|\n[ \t\r]*(?=\n)")
_HEADER = re.compile(r"[|>][^\r\n#]*[ \t](#[^\r\n]*)")


class Beside(msgspec.Struct, frozen=True, gc=False):
    """A comment at the end of a line, and its column."""

    text: str
    column: int


class Comments(msgspec.Struct):
    """Comments by the path of their entry; an empty text is a blank line.

    ``above`` has comments on lines of their own before the entry, ``beside`` those at the end of
    its line, ``below`` indented ones at the end of a section, ``tail`` those at the end of the file.
    """

    above: dict[Path, list[str]] = {}
    beside: dict[Path, Beside] = {}
    below: dict[Path, list[str]] = {}
    tail: list[str] = []

    def within(self, path: Path) -> bool:
        """Return True if an entry inside ``path`` has a comment."""
        return any(p[: len(path)] == path and len(p) > len(path) for p in self.beside) or any(
            p[: len(path)] == path and len(p) > len(path) and any(lines)
            for p, lines in self.above.items()
        )


class _Entry(msgspec.Struct, frozen=True):
    path: Path
    index: int
    line: int
    column: int


class _Piece(msgspec.Struct, frozen=True):
    """A comment, or a blank line where ``text`` is empty."""

    text: str
    index: int
    line: int
    column: int
    own_line: bool


def collect(text: str) -> Comments:
    """Collect the comments of a valid YAML text."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    entries = list(_entries(root, ())) if root is not None else []
    comments = Comments()
    for piece in _pieces(text):
        _attach(comments, piece, entries)
    return comments


def fitted(comments: Comments, source: str, paths: Collection[Path]) -> Comments:
    """Move the comments of entries that are not in ``paths`` to the next entry."""
    root = yaml.compose(source, Loader=yaml.SafeLoader)
    order = [entry.path for entry in _entries(root, ())] if root is not None else []
    moved = Comments(below={}, tail=list(comments.tail))
    for path in order:
        home = _new_place(path, order, paths)
        lines = [*comments.above.get(path, [])]
        beside = comments.beside.get(path)
        if home != path:
            lines = [line for line in [*lines, beside.text if beside else ""] if line]
        elif beside:
            moved.beside[home] = beside
        if home is None:
            moved.tail += lines
        elif lines:
            moved.above.setdefault(home, []).extend(lines)
    for path, lines in comments.below.items():
        if path in paths:
            moved.below[path] = lines
        else:
            moved.tail += lines
    return moved


def _new_place(path: Path, order: list[Path], paths: Collection[Path]) -> Path | None:
    """Return the entry for a comment: its own, the next sibling, or the parent."""
    if path in paths:
        return path
    for other in order[order.index(path) + 1 :]:
        if other[:-1] == path[:-1] and other in paths:
            return other
    return _new_place(path[:-1], order, paths) if len(path) > 1 else None


def _entries(node: yaml.Node, path: Path) -> Iterator[_Entry]:
    """Yield all entries in the order of the text, outer before inner."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            yield _Entry(inner, key.start_mark.index, key.start_mark.line, key.start_mark.column)
            yield from _entries(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            mark = item.start_mark
            yield _Entry((*path, number), mark.index, mark.line, mark.column)
            yield from _entries(item, (*path, number))


def _pieces(text: str) -> Iterator[_Piece]:
    """Read the gaps between the tokens."""
    at = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        start, end = token.start_mark.index, token.end_mark.index
        if start > at:
            yield from _gap(text, at, start)
        if isinstance(token, yaml.ScalarToken) and token.style in ("|", ">"):
            header = _HEADER.match(text, start)
            if header:
                yield _piece(text, header.start(1), header[1])
        at = max(at, end)


def _gap(text: str, start: int, end: int) -> Iterator[_Piece]:
    for match in _PIECE.finditer(text, start, min(end + 1, len(text))):
        if match.start() < end:
            comment = match[0] if match[0].startswith("#") else ""
            yield _piece(text, match.start(), comment)


def _piece(text: str, index: int, comment: str) -> _Piece:
    begin = text.rfind("\n", 0, index) + 1
    line = text.count("\n", 0, index)
    own = not comment or not text[begin:index].strip(" \t\ufeff")
    return _Piece(comment.rstrip(), index, line, index - begin, own)


def _attach(comments: Comments, piece: _Piece, entries: list[_Entry]) -> None:
    before = [entry for entry in entries if entry.index < piece.index]
    after = next((entry for entry in entries if entry.index > piece.index), None)
    if not piece.own_line:
        same = [entry for entry in before if entry.line == piece.line]
        if same or before:
            _beside(comments, (same[0] if same else before[-1]).path, piece)
            return
    leaves = before and (after is None or after.path[0] != before[-1].path[0])
    if piece.text and leaves and piece.column > 0 and piece.own_line:
        comments.below.setdefault(before[-1].path[:1], []).append(piece.text)
    elif after is not None:
        comments.above.setdefault(after.path, []).append(piece.text)
    elif piece.text or comments.tail:
        comments.tail.append(piece.text)


def _beside(comments: Comments, path: Path, piece: _Piece) -> None:
    old = comments.beside.get(path)
    text = f"{old.text} {piece.text}" if old else piece.text
    comments.beside[path] = Beside(text, old.column if old else piece.column)
