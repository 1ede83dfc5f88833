"""The formatter: one way to write a flow; no comment is lost.

``load(canonical(flow)) == flow``, and formatting what is formatted changes nothing.
"""

from __future__ import annotations

from transforms.authoring.format_comments import Comments, collect, fitted
from transforms.authoring.format_tree import tree_of
from transforms.authoring.format_yaml import paths_of, write
from transforms.flows.definitions.flow import Flow


def canonical(flow: Flow, comments: Comments | None = None) -> str:
    """Return the canonical text of a flow, with comments that fit its entries."""
    return write(tree_of(flow), comments or Comments())


def format_flow(text: str, flow: Flow) -> str:
    """Return the text of a flow in canonical form: same meaning, same comments, same order of steps."""
    tree = tree_of(flow)
    comments = fitted(collect(text), text, set(paths_of(tree)))
    return write(tree, comments)
