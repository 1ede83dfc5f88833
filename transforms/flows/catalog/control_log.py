"""From the control log to a catalog: every record in order of its effective time, then sequence.

Flows and steps are numbered in the order of the log, so a number never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transforms.flows.catalog.applied_log import no_records
from transforms.flows.catalog.epochs import NEVER, Catalog
from transforms.flows.catalog.log_state import InvalidLog
from transforms.flows.definitions.keyword_conflicts import clashes
from transforms.flows.protocol import control_records

__all__ = ["InvalidLog", "catalog_of", "records_of", "refuse_shared_keywords"]


def catalog_of(
    records: Iterable[control_records.ControlRecord], complete_until: int = NEVER
) -> Catalog:
    """Read the log; raise InvalidLog for a record that cannot be followed."""
    return no_records().extended(records, complete_until).catalog


def records_of(
    flows: Mapping[str, str],
    space: str | None,
    templates: Mapping[str, Mapping[str, str]],
    at: int = 0,
) -> list[control_records.ControlRecord]:
    """Make the log of flows that were published and started at one instant.

    ``flows`` maps an id to its text, ``templates`` an id to the texts of its templates.
    """
    made: list[control_records.ControlRecord] = []
    if space is not None:
        made.append(control_records.SetSpace(sequence=0, effective_at=at, text=space))
    for name, text in sorted(flows.items()):
        record = control_records.Publish(
            sequence=len(made),
            effective_at=at,
            flow=name,
            version=1,
            text=text,
            templates=dict(sorted(templates.get(name, {}).items())),
        )
        made.append(record)
    for name in sorted(flows):
        made.append(control_records.Start(sequence=len(made), effective_at=at, flow=name))
    return made


def refuse_shared_keywords(catalog: Catalog) -> None:
    """Raise InvalidLog if two flows that own the same keyword or number run at the same time (I8).

    A log that has such flows nonetheless can be read: the flow of higher priority takes the
    message, else the one whose id is first (R13).
    """
    for epoch in catalog.epochs:
        running = [view.plan.flow for view in epoch.by_inbound if view.status == "running"]
        for clash in clashes(running, epoch.space):
            flows = f"{clash.one.flow} and {clash.other.flow}"
            raise InvalidLog(f"{flows} would both run with the {clash.what}")
