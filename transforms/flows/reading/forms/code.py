"""The source of a code step: one function ``run``, in a small part of Python (C19, J13).

It refuses what would read a clock, be random, or reach out of the sandbox; the sandbox refuses
the same when it runs.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

import msgspec

from transforms.flows.diagnostics import SourceError, quoted, suggest
from transforms.flows.reading.keys import Keys
from transforms.flows.reading.nodes import Node, Scalar, entries
from transforms.flows.reading.spans import offsets
from transforms.flows.reading.values import Reading

MAX_CODE = 16 * 1024
ENTRY = "run"

FORBIDDEN_NAMES = frozenset(
    "open input eval exec compile globals locals vars dir id hash print breakpoint help".split()
)
"""Names that reach out of the sandbox, or whose result differs between runs."""

FORBIDDEN: dict[type[ast.AST], str] = {
    ast.Import: "imports something",
    ast.ImportFrom: "imports something",
    ast.ClassDef: "defines a class",
    ast.AsyncFunctionDef: "is asynchronous",
    ast.Await: "is asynchronous",
    ast.AsyncFor: "is asynchronous",
    ast.AsyncWith: "is asynchronous",
    ast.Yield: "is a generator",
    ast.YieldFrom: "is a generator",
    ast.With: "opens something",
    ast.Global: "changes what other functions see",
    ast.Nonlocal: "changes what other functions see",
    ast.Delete: "deletes something",
}


MAY_STAND: tuple[type[ast.AST], ...] = (ast.Assign, ast.AnnAssign, *FORBIDDEN)
"""What is allowed besides functions, and what is reported already."""


def read_code(keys: Keys, node: Node, inputs: str) -> str | None:
    """Read Python for the sandbox; ``inputs`` is the key of the values that it is given."""
    reading = keys.reading
    source = reading.text(node)
    if source is None or not isinstance(node, Scalar):
        return None
    names = [key.text for key, _ in entries(keys.node.get(inputs))]
    wrong = list(_wrong(source, names))
    for refusal in wrong:
        _report(reading, node, "invalid-code", refusal)
    if wrong:
        return None
    if reading.check_source is not None and (refused := reading.check_source(source)) is not None:
        _report(reading, node, "code-sandbox", refused)
    return source.strip("\n").rstrip() + "\n"


def _report(reading: Reading, node: Scalar, code: str, refusal: SourceError) -> None:
    lines = node.text.split("\n")
    row = min(max(refusal.line, 1), len(lines)) - 1
    start = sum(len(line) + 1 for line in lines[:row])
    start += min(max(refusal.column, 0), max(0, len(lines[row]) - 1))
    places = offsets(reading.report.source.text, node)
    last = len(places) - 1
    begin, end = places[min(start, last)], places[min(start + refusal.length, last)]
    reading.problem((begin, max(end, begin + 1)), code, refusal.message, refusal.help)


def _wrong(source: str, inputs: list[str]) -> Iterator[SourceError]:
    """Yield everything that is wrong with the code."""
    if len(source) > MAX_CODE:
        yield SourceError(1, 0, f"the code is larger than {MAX_CODE // 1024} KiB")
        return
    tree = _parsed(source)
    if isinstance(tree, SourceError):
        yield tree
        return
    lines = [line.encode() for line in source.split("\n")]
    for refusal in (*_forbidden(tree), *_shape(tree, inputs)):
        yield _in_letters(refusal, lines)


def _in_letters(refusal: SourceError, lines: list[bytes]) -> SourceError:
    """Count in letters what Python's parser counts in bytes."""
    line = lines[min(refusal.line, len(lines)) - 1]
    before = line[: refusal.column].decode(errors="ignore")
    inside = line[refusal.column :][: refusal.length].decode(errors="ignore")
    return msgspec.structs.replace(refusal, column=len(before), length=max(1, len(inside)))


def _parsed(source: str) -> ast.Module | SourceError:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source, feature_version=(3, 11))
    except SyntaxError as error:
        line, column = error.lineno or 1, (error.offset or 1) - 1
        return SourceError(line, column, f"this is not valid Python: {error.msg}")
    except (ValueError, RecursionError, MemoryError):
        return SourceError(1, 0, "this is not Python that can be read")


def _forbidden(tree: ast.Module) -> Iterator[SourceError]:
    for node in ast.walk(tree):
        why = FORBIDDEN.get(type(node))
        name = _name_of(node)
        if (name in FORBIDDEN_NAMES and not isinstance(node, ast.Attribute)) or name.startswith(
            "__"
        ):
            why = f'uses "{name}"'
        if why is not None:
            hint = "it can only compute with the inputs at `with`"
            yield _at(node, f"the code {why}, which is not allowed", hint)


def _name_of(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            return name
        case ast.FunctionDef(name=name):
            return name
        case _:
            return ""


def _shape(tree: ast.Module, inputs: list[str]) -> Iterator[SourceError]:
    """Compare the functions with the inputs of the step."""
    runs = None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            runs = node if node.name == ENTRY else runs
            yield from (_at(d, "a function has no decorators here") for d in node.decorator_list)
        elif not isinstance(node, MAY_STAND) and not _words(node):
            yield _at(node, "only functions and constants are allowed here")
    if runs is None:
        hint = f"write for example def {ENTRY}({', '.join(inputs)}):"
        yield SourceError(1, 0, f'the code has no function "{ENTRY}"', hint)
        return
    yield from _parameters(runs, inputs)


def _words(node: ast.stmt) -> bool:
    """Return whether a statement is a text, such as a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _parameters(function: ast.FunctionDef, inputs: list[str]) -> Iterator[SourceError]:
    given = function.args
    several = given.vararg or given.kwarg
    if several is not None or given.posonlyargs:
        yield _at(several or given.posonlyargs[0], f'"{ENTRY}" takes each input by its name')
        return
    takes = [arg.arg for arg in (*given.args, *given.kwonlyargs)]
    for arg in (*given.args, *given.kwonlyargs):
        if arg.arg not in inputs:
            hint = suggest(arg.arg, set(inputs) - set(takes))
            hint = hint if hint.startswith("did") else f"add it to with: {{{arg.arg}: …}}"
            yield _at(arg, f'"{arg.arg}" is not an input of the step', hint)
    left = [name for name in inputs if name not in takes]
    if left:
        yield _at(function, f'"{ENTRY}" does not take {quoted(left)}', "add it to its parameters")


def _at(node: ast.AST, message: str, known: str = "") -> SourceError:
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    same = getattr(node, "end_lineno", line) == line
    end = getattr(node, "end_col_offset", None) if same else None
    return SourceError(line, column, message, known, max(1, (end or column + 1) - column))
