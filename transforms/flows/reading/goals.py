"""The goals of a flow, read from a text of their own: what a control record sets."""

from __future__ import annotations

from transforms.flows.definitions.exits import GOAL, Goal
from transforms.flows.definitions.shapes import RecordsByName
from transforms.flows.definitions.space import Space
from transforms.flows.diagnostics import Loaded, Report, Source
from transforms.flows.reading.names import of_space
from transforms.flows.reading.nodes import Mapping as Map
from transforms.flows.reading.nodes import compose
from transforms.flows.reading.shapes import records_by_name
from transforms.flows.reading.values import Reading


def load_goals(
    path: str, text: str, space: Space, campaign: str | None = None
) -> Loaded[tuple[Goal, ...]]:
    """Read the text of a ``goals`` section: the map of goals, with or without its heading.

    ``campaign`` is that of the flow.
    """
    report = Report(Source(path, text))
    root = compose(report)
    if root is None:
        return report.done(None)
    section = root.get("goals") if isinstance(root, Map) and len(root.items) == 1 else None
    inner = section if isinstance(section, Map) and section.get("event") is None else root
    known = of_space(space).at_hand("entry", "session").of_campaign(space, campaign)
    form = RecordsByName(GOAL, "a goal")
    return report.done(records_by_name(Reading(report, known), inner, form))
