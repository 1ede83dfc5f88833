"""The keys of one map: those that no reader asks for are unknown, and a problem."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from transforms.flows.diagnostics import suggest
from transforms.flows.reading.nodes import ALIAS, CUT, Mapping, Node, Scalar, describe
from transforms.flows.reading.values import NAME, Reading

T = TypeVar("T")


class Keys:
    """The keys of one map, each read by asking for it; ``name`` is that of what the map describes."""

    def __init__(self, reading: Reading, node: Mapping, what: str, name: str = "") -> None:
        self.reading = reading
        self.node = node
        self.what = what
        self.name = name
        self.known: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return self.node.get(key) is not None

    def get(self, key: str) -> Node | None:
        """Find a key's value; the key counts as known from now on."""
        self.known[key] = None
        return self.node.get(key)

    def read(self, key: str, reader: Callable[[Node], T | None]) -> T | None:
        """Read a key's value if the key is there."""
        node = self.get(key)
        return None if node is None else reader(node)

    def need(self, key: str, reader: Callable[[Node], T | None]) -> T | None:
        """Read a key's value; that it is missing is a problem."""
        if self.get(key) is None:
            self.reading.problem(self.lead, "missing-key", f'{self.what} needs "{key}"')
        return self.read(key, reader)

    def key_of(self, node: Node) -> str:
        """Return the key of a value."""
        return next(key.text for key, value in self.node.items if value is node)

    def each(self, node: Node, read: Callable[[Scalar, Node], T | None]) -> tuple[T, ...]:
        """Read every entry of a section, which is a map of names."""
        if not isinstance(node, Mapping):
            message = f"{self.key_of(node)} is {describe(node)}, not a map of names"
            self.reading.problem(node, "wrong-kind", message)
            return ()
        read_ = [read(key, value) for key, value in node.items]
        return tuple(value for value in read_ if value is not None)

    @property
    def lead(self) -> tuple[int, int]:
        """Where the mapping begins: its first key."""
        if self.node.items:
            return self.node.items[0][0].span
        return self.node.span

    def close(self) -> None:
        """Report the keys that no reader asked for."""
        for key, value in self.node.items:
            if key.text in self.known:
                continue
            message = f'{self.what} has no "{key.text}"'
            cut = isinstance(value, Scalar) and not value.text and not NAME.fullmatch(key.text)
            self.reading.problem(
                key, "unknown-key", message, CUT if cut else suggest(key.text, self.known)
            )


def keys_of(reading: Reading, node: Node, what: str, name: str = "") -> Keys | None:
    """Open a mapping for reading, or report that it is none."""
    if isinstance(node, Mapping):
        return Keys(reading, node, what, name)
    if isinstance(node, Scalar) and node.style == ALIAS:
        return None
    reading.problem(node, "wrong-kind", f"{what} is {describe(node)}, not a map of keys")
    return None
