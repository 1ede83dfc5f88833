"""Writes a tree of texts, lists and mappings as readable YAML.

A value is on one line if that fits in 100 columns and has no comment inside, else in a block;
runs of one-line steps are aligned. The same tree and comments always give the same text.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from itertools import groupby

from transforms.authoring.format_comments import Comments, Path

WIDTH = 100

Tree = str | list["Tree"] | dict[str, "Tree"]

GROUPS = (
    ("flow", "about", "campaign", "priority", "zone", "schedule", "holdout"),
    ("enter", "key", "simultaneous", "reenter"),
    ("exit",),
    ("goals", "exit_on_goal"),
    ("on_exit",),
    ("steps",),
)
"""The sections of a flow in their order; a blank line separates two groups."""

_MARK = "\0"
_BLOCKS = {"enter", "exit", "goals", "on_exit", "steps"}
_ALIGNED = {"goals", "on_exit", "steps"}
_CASES = {"if", "wait_for"}
_NO_TEXT_KEY = re.compile(
    r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?|true|false|null|~|", re.IGNORECASE
)

_NOTHING = re.compile(r"null|~|", re.IGNORECASE)


def write(tree: dict[str, Tree], comments: Comments) -> str:
    """Write a flow's tree with its comments."""
    writer = _Writer(comments)
    group = None
    for key, value in tree.items():
        own = next((n for n, keys in enumerate(GROUPS) if key in keys), len(GROUPS))
        if group is not None and own != group:
            writer.lines.append("")
        group = own
        writer.entry((key,), f"{text_of(key, key=True)}:", value, 0)
        writer.below((key,))
    writer.tail()
    return "\n".join(map(_finished, writer.lines)) + "\n"


def _finished(line: str) -> str:
    """Put the comment at the end of a line into its column, at least two spaces away."""
    head, mark, rest = line.partition(_MARK)
    if not mark:
        return line.rstrip()
    column, _, text = rest.partition(" ")
    return f"{head.rstrip() + '  ':<{int(column)}}{text}"


def paths_of(tree: Tree, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of all entries of a tree."""
    if isinstance(tree, dict):
        children: list[tuple[str | int, Tree]] = list(tree.items())
    else:
        children = list(enumerate(tree)) if isinstance(tree, list) else []
    for key, value in children:
        yield (*path, key)
        yield from paths_of(value, (*path, key))


class _Writer:
    """Collects lines; each entry is written once, with its comments."""

    def __init__(self, comments: Comments) -> None:
        self.comments = comments
        self.lines: list[str] = []

    def entry(self, path: Path, lead: str, value: Tree, indent: int, pad: int = 0) -> None:
        """Write one entry; ``lead`` is its key with the colon, or a dash."""
        self.above(path, indent)
        beside = self.beside(path)
        line = self.one_line(path, value, indent + max(len(lead) + 1, pad))
        if line is not None:
            self.lines.append(" " * indent + f"{lead + ' ':<{pad}}{line}{beside}")
        elif isinstance(value, str):
            self.folded(lead, value, indent, beside)
        elif lead == "-":
            self.item(path, value, indent, beside)
        else:
            self.lines.append(" " * indent + lead + beside)
            self.children(path, value, indent + 2)

    def item(self, path: Path, value: Tree, indent: int, beside: str) -> None:
        """Write an item in block form: its first line begins after the dash."""
        start = len(self.lines)
        self.children(path, value, indent + 2)
        first = start
        while self.lines[first].lstrip().startswith("#"):
            first += 1
        line = self.lines[first]
        self.lines[first] = line[:indent] + "- " + line[indent + 2 :] + beside

    def children(self, path: Path, value: Tree, indent: int) -> None:
        """Write the entries of a map or list."""
        if isinstance(value, dict):
            pads = self.pads(path, value, indent)
            for key, inner in value.items():
                lead = f"{text_of(key, key=True)}:"
                self.entry((*path, key), lead, inner, indent, pads.get(key, 0))
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                self.entry((*path, number), "-", inner, indent)

    def one_line(self, path: Path, value: Tree, column: int) -> str | None:
        """Write a value on one line, if that is allowed and fits."""
        if isinstance(value, str):
            if _literal(value):
                return None
            line = text_of(value)
            fits = column + len(line) <= WIDTH or not _foldable(value)
            return line if fits else None
        if not value:
            return "{}" if isinstance(value, dict) else "[]"
        if _block(path, value) or self.comments.within(path):
            return None
        line = _flow(value)
        return line if column + len(line) <= WIDTH else None

    def folded(self, lead: str, value: str, indent: int, beside: str) -> None:
        """Write a long text over several lines; a text with line breaks keeps them."""
        inner = " " * (indent + 2)
        if _literal(value):
            self.lines.append(" " * indent + f"{lead} |{beside}")
            self.lines += [inner + line for line in value.split("\n")[:-1]]
            return
        self.lines.append(" " * indent + f"{lead} >-{beside}")
        self.lines += textwrap.wrap(
            value,
            WIDTH,
            initial_indent=inner,
            subsequent_indent=inner,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def pads(self, path: Path, value: Mapping[str, Tree], indent: int) -> dict[str, int]:
        """Align the values in each run of one-line entries if all of them still fit."""
        if len(path) != 1 or path[0] not in _ALIGNED:
            return {}
        pads: dict[str, int] = {}
        for run in self.runs(path, value, indent):
            pad = max(len(text_of(key, key=True)) for key in run) + 2
            fits = all(self.one_line((*path, k), value[k], indent + pad) is not None for k in run)
            pads |= dict.fromkeys(run, pad if fits else 0)
        return pads

    def runs(self, path: Path, value: Mapping[str, Tree], indent: int) -> Iterator[list[str]]:
        """Yield the runs of one-line entries: a comment or a blank line begins another."""
        number = 0
        runs: list[tuple[int, str]] = []
        for key, inner in value.items():
            lead = indent + len(text_of(key, key=True)) + 2
            short = self.one_line((*path, key), inner, lead) is not None
            number += bool(self.comments.above.get((*path, key)))
            if short:
                runs.append((number, key))
        for _, members in groupby(runs, key=lambda pair: pair[0]):
            yield [key for _, key in members]

    def above(self, path: Path, indent: int) -> None:
        """Write the comments above an entry; blank lines are joined, and none is the first line."""
        lines = self.comments.above.get(path, [])
        for text in lines:
            last = self.lines[-1] if self.lines else ""
            opens = last.rstrip().endswith(":") and not last.lstrip().startswith("#")
            if text:
                self.lines.append(" " * indent + text)
            elif last and not opens and (len(path) > 1 or self.follows_comment()):
                self.lines.append("")

    def follows_comment(self) -> bool:
        """Return whether the last line is a comment of the top level."""
        return self.lines[-1].startswith("#")

    def beside(self, path: Path) -> str:
        """Return the comment at the end of an entry's line, with a mark of its column before it."""
        comment = self.comments.beside.get(path)
        return f"{_MARK}{comment.column} {comment.text}" if comment else ""

    def below(self, path: Path) -> None:
        """Write the comments at the end of a section."""
        self.lines += [f"  {text}" for text in self.comments.below.get(path, [])]

    def tail(self) -> None:
        """Write the comments at the end of the file."""
        lines = self.comments.tail
        while lines and not lines[-1]:
            lines = lines[:-1]
        for text in lines:
            if text or self.lines[-1]:
                self.lines.append(text)


def _block(path: Path, value: Tree) -> bool:
    """Return whether a value is always a block: sections, cases, entries with more than one key."""
    if len(path) == 1:
        return path[0] in _BLOCKS
    if len(path) == 2:
        if path[0] in ("steps", "on_exit") and isinstance(value, dict):
            lines = any(isinstance(inner, str) and _literal(inner) for inner in value.values())
            return bool(_CASES & value.keys()) or isinstance(value.get("then"), dict) or lines
        return path[0] in ("enter", "exit")
    return len(path) == 3 and path[0] in ("steps", "on_exit") and path[2] in _CASES


def _literal(text: str) -> bool:
    """Return whether a text can be written as literal lines."""
    lines = text.split("\n")
    return (
        len(lines) > 1
        and not lines[-1]
        and bool(lines[-2])
        and lines[0][:1] not in ("", " ")
        and all(line.isprintable() and line == line.rstrip() for line in lines)
    )


def _flow(value: Tree) -> str:
    if isinstance(value, dict):
        pairs = (f"{text_of(k, key=True, flow=True)}: {_flow(v)}" for k, v in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return text_of(value, flow=True)


def _foldable(text: str) -> bool:
    words = text.split(" ")
    return len(words) > 1 and all(words) and text.isprintable()


def text_of(text: str, *, key: bool = False, flow: bool = False) -> str:
    """Write a text as a YAML scalar: plain if possible, else in single or double quotes."""
    no_text = (_NO_TEXT_KEY if key else _NOTHING).fullmatch(text)
    if _plain(text, flow or key) and not no_text:
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _plain(text: str, flow: bool) -> bool:
    if not text or not text.isprintable() or text != text.strip(" "):
        return False
    if text[0] in ",[]{}#&*!|>'\"%@`" or text.startswith(("---", "...")):
        return False
    if text[0] in "-?:" and (len(text) == 1 or text[1] == " " or flow):
        return False
    if ": " in text or " #" in text or text.endswith(":"):
        return False
    return not flow or not any(sign in text for sign in ",[]{}?")


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    if letter == "\n":
        return "\\n"
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code < 256:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
