"""The expression language: text to checked nodes to closures, and apart again into rows.

One grammar, one table of operators, one canonical text; missing values and types by R17,
time by R18. Everything public is here.
"""

from __future__ import annotations

from transforms.flows.expressions import ast
from transforms.flows.expressions.ast import Expr, Node
from transforms.flows.expressions.checking import check
from transforms.flows.expressions.compiling import compile_condition, compile_value
from transforms.flows.expressions.condition import Condition
from transforms.flows.expressions.operators import OPERATORS, Operator, operators_for
from transforms.flows.expressions.parsing import parse
from transforms.flows.expressions.problems import ExpressionError, ExprProblem
from transforms.flows.expressions.reading import Aggregate, Reads, reads
from transforms.flows.expressions.rows import Group, Row, from_rows, rows
from transforms.flows.expressions.scope import Scope
from transforms.flows.expressions.writing import write as format  # noqa: A004

__all__ = [
    "OPERATORS",
    "Aggregate",
    "Condition",
    "Expr",
    "ExprProblem",
    "ExpressionError",
    "Group",
    "Node",
    "Operator",
    "Reads",
    "Row",
    "Scope",
    "ast",
    "check",
    "compile_condition",
    "compile_value",
    "format",
    "from_rows",
    "operators_for",
    "parse",
    "reads",
    "rows",
]
