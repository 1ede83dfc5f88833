"""What the checks of a whole flow see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from transforms.flows.definitions.flow import Flow
from transforms.flows.definitions.ports import Followed
from transforms.flows.definitions.shapes import Flaw
from transforms.flows.definitions.space import Space, Template
from transforms.flows.definitions.steps.kinds import Step
from transforms.flows.reading.names import Known
from transforms.flows.reading.nodes import Mapping as Map


class Checked(msgspec.Struct, frozen=True, gc=False):
    """A flow with its file, its steps as followed, and what it refers to.

    ``codes`` are the problems found while it was read.
    """

    root: Map
    codes: frozenset[str]
    flow: Flow
    main: Followed
    on_exit: Followed
    space: Space
    templates: Mapping[str, Template]
    known: Known

    def sections(self) -> Iterator[tuple[str, Followed]]:
        """Yield both sections of steps with their keys in the file."""
        yield "steps", self.main
        yield "on_exit", self.on_exit

    def steps(self) -> Iterator[tuple[str, Step]]:
        """Yield every step with the key of its section."""
        for section, followed in self.sections():
            for step in followed.steps:
                yield section, step


Check = Callable[[Checked], Iterator[Flaw]]
