"""A control log by which two flows would own the same keyword or number is not to be written (I8).

One that was written nonetheless is followed: the flow of higher priority has it, else the one
whose id comes first (R13).
"""

from __future__ import annotations

from transforms.flows.catalog.epochs import Catalog
from transforms.flows.catalog.flow_status import InvalidLog
from transforms.flows.definitions.keyword_conflicts import clashes


def refuse(catalog: Catalog) -> None:
    """Raise InvalidLog if two flows run at the same time that would own the same."""
    for epoch in catalog.epochs:
        running = [view.plan.flow for view in epoch.by_inbound if view.status == "running"]
        for clash in clashes(running, epoch.space) if len(running) > 1 else ():
            flows = f"{clash.one.flow} and {clash.other.flow}"
            raise InvalidLog(f"{flows} would both run with the {clash.what}")
