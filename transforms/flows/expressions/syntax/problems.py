"""What can be wrong with an expression, at its place in the text."""

from __future__ import annotations

from typing import Literal

import msgspec


class ExprProblem(msgspec.Struct, frozen=True, gc=False, order=True):
    """A problem at ``offset`` of the text as it was written; warnings do not stop a flow."""

    offset: int
    length: int
    message: str
    code: str
    suggestion: str | None = None
    severity: Literal["error", "warning"] = "error"


class ExpressionError(ValueError):
    """An expression that cannot be read; ``problems`` lists all that was found."""

    def __init__(self, problems: list[ExprProblem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems
