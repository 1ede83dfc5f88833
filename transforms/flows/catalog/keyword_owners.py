"""Refuses a control log in which two running flows own the same keyword or number (I8).

A log that has such flows nonetheless can be read: the flow of higher priority takes the message,
else the one whose id is first (R13).
"""

from __future__ import annotations

from transforms.flows.catalog.epochs import Catalog
from transforms.flows.catalog.flow_status import InvalidLog
from transforms.flows.definitions.keyword_conflicts import clashes


def refuse(catalog: Catalog) -> None:
    """Raise InvalidLog if two flows that own the same keyword or number run at the same time."""
    for epoch in catalog.epochs:
        running = [view.plan.flow for view in epoch.by_inbound if view.status == "running"]
        for clash in clashes(running, epoch.space) if len(running) > 1 else ():
            flows = f"{clash.one.flow} and {clash.other.flow}"
            raise InvalidLog(f"{flows} would both run with the {clash.what}")
