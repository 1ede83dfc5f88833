"""Counts the steps of code, so that its limit is the same for the same input on every machine.

Every iteration of a loop or comprehension and every call of a function is a step. The counting is
inserted into the source without moving a line, so that errors keep their lines.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import lru_cache
from typing import Final

STEPS: Final = 1_000_000
OVER: Final = "too many steps"

PRELUDE: Final = f"""\
__count = [0]
def __step():
    __count[0] += 1
    if __count[0] > {STEPS}:
        raise TimeoutError({OVER!r})
    return True
def __range(*given):
    found = range(*given)
    if len(found) > {STEPS}:
        raise TimeoutError({OVER!r})
    return found
"""
"""Defines what the counted source calls. Flows cannot use names that begin with two underscores."""

Position = tuple[int, int]


@lru_cache(maxsize=256)
def counted(source: str) -> str:
    """Return the prelude and a source that counts its steps, which ``ast.parse`` accepts."""
    counter = _Counter()
    for node in _nodes(ast.parse(source)):
        counter.visit(node)
    return PRELUDE + counter.applied(source)


def _nodes(tree: ast.AST) -> list[ast.AST]:
    """Return a tree's nodes, outer ones first, without those in f-strings, which lack positions."""
    found = [tree]
    for node in found:
        if not isinstance(node, ast.JoinedStr):
            found.extend(ast.iter_child_nodes(node))
    return found


class _Counter:
    """Collects what is inserted into a source, by line and by column in bytes."""

    def __init__(self) -> None:
        self._before: defaultdict[Position, str] = defaultdict(str)
        self._after: defaultdict[Position, str] = defaultdict(str)

    def visit(self, node: ast.AST) -> None:
        """Count a step where a node repeats something."""
        match node:
            case ast.While(test=test):
                self._wrap(test)
            case ast.For(body=body) | ast.FunctionDef(body=body):
                self._begin(body)
            case ast.Lambda(body=body):
                self._wrap(body)
            case ast.ListComp(elt=item) | ast.SetComp(elt=item) | ast.GeneratorExp(elt=item):
                self._comprehension(node.generators, item)
            case ast.DictComp(key=key):
                self._comprehension(node.generators, key)
            case ast.Name(id="range", ctx=ast.Load()):
                self._before[node.lineno, node.col_offset] += "__"

    def _comprehension(self, parts: list[ast.comprehension], item: ast.expr) -> None:
        """Count where each iteration evaluates something first."""
        for part, after in zip(parts, [*(p.iter for p in parts[1:]), item], strict=True):
            self._wrap(part.ifs[0] if part.ifs else after)

    def _begin(self, body: list[ast.stmt]) -> None:
        """Count at the beginning of the first statement that evaluates something."""
        match body[0]:
            case ast.If(test=begins) | ast.For(iter=begins) | ast.Match(subject=begins):
                self._wrap(begins)
            case ast.Try(body=inner):
                self._begin(inner)
            case ast.FunctionDef() if len(body) > 1:
                self._begin(body[1:])
            case ast.FunctionDef() | ast.While():  # a loop counts itself
                pass
            case statement:
                self._before[statement.lineno, statement.col_offset] += "__step(); "

    def _wrap(self, node: ast.expr) -> None:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        self._before[node.lineno, node.col_offset] += "(__step() and ("
        end = node.end_lineno, node.end_col_offset
        self._after[end] = "))" + self._after[end]

    def applied(self, source: str) -> str:
        """Insert what was collected, from the end to the beginning."""
        lines = [line.encode() for line in source.split("\n")]
        for line, column in sorted({*self._before, *self._after}, reverse=True):
            text = self._after[line, column] + self._before[line, column]
            row = lines[line - 1]
            lines[line - 1] = row[:column] + text.encode() + row[column:]
        return b"\n".join(lines).decode()
