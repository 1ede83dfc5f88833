"""What a condition is once it is compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from transforms.flows.expressions.view import View


@final
@dataclass(frozen=True)
class Condition:
    """A compiled condition.

    ``test(view)`` is its result; ``timed`` tells whether time alone can change that, and
    ``next_change(view)`` is the next instant later than ``view.now`` at which it could, while the
    data stays as it is: never too late (R18).
    """

    test: Callable[[View], bool]
    timed: bool
    next_change: Callable[[View], int | None]
