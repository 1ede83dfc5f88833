"""The steps as a graph: what cannot be reached, what is fallen into, what would never pause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from transforms.flows.definitions.ports import targets, targets_at_once
from transforms.flows.definitions.step_order import Followed
from transforms.flows.diagnostics import Report
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.places import place_of_key

Graph = Mapping[str, tuple[str, ...]]

UNSURE = frozenset(
    {"unknown-step", "missing-branch", "missing-key", "wrong-kind", "unknown-key", "unknown-case",
     "unknown-status", "two-kinds", "unknown-branch"}
)  # fmt: skip
"""Problems that hide where steps go on: what cannot be reached is not judged beside them."""


def check_graph(report: Report, root: Map, section: str, followed: Followed) -> None:
    """Report what is wrong with the graph of a section's steps."""
    names = [step.name for step in followed.steps]
    for fall in followed.falls:
        owner = followed.branches.get(fall.to)
        if owner is not None:
            said = f'step "{fall.step}" falls through to "{fall.to}", a branch of "{owner}"'
            known = f"write where it goes on, with then: {fall.to} if that is meant"
            report.add(place_of_key(root, section, fall.step), "falls-into-branch", said, known)
    if not names:
        return
    edges = {step.name: tuple(targets(step)) for step in followed.steps}
    if followed.complete and not report.codes & UNSURE:
        for name in sorted(set(names) - reached(edges, names[0]), key=names.index):
            said = f'step "{name}" cannot be reached from "{names[0]}"'
            known = "name it with then, or leave it out"
            report.add(place_of_key(root, section, name), "unreachable-step", said, known)
    passing = {step.name: tuple(targets_at_once(step)) for step in followed.steps}
    for loop in loops(passing, names):
        path = " -> ".join(f'"{name}"' for name in loop)
        known = "put a wait into it"
        said = f"the steps {path} form a loop without a wait"
        report.add(place_of_key(root, section, loop[0]), "loop-without-wait", said, known)


def reached(edges: Graph, first: str) -> set[str]:
    """Return the steps that can be reached from the first."""
    seen, left = {first}, [first]
    while left:
        for name in edges.get(left.pop(), ()):
            if name not in seen:
                seen.add(name)
                left.append(name)
    return seen


def loops(edges: Graph, names: Iterable[str]) -> Iterator[list[str]]:
    """Yield one shortest loop for each group of steps that go round, from its earliest step."""
    done: set[str] = set()
    for name in names:
        if name in done:
            continue
        path = _way_back(edges, name)
        if path:
            done.update(path)
            done.update(n for n in reached(edges, name) if name in reached(edges, n))
            yield path


def _way_back(edges: Graph, name: str) -> list[str]:
    """Return the shortest path from a step to itself."""
    before: dict[str, str] = {}
    left = [name]
    for here in left:
        for there in edges.get(here, ()):
            if there == name:
                path = [name, here]
                while path[-1] != name:
                    path.append(before[path[-1]])
                return path[::-1]
            if there not in before:
                before[there] = here
                left.append(there)
    return []
