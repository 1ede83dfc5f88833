"""Mutual exclusion: of a group of flows a user is in one at a time (J8, P15).

Who is in one enters no other; where one signal matches several, the higher priority is first (R3).
"""

from __future__ import annotations

from transforms.flows.plan import Plan
from transforms.flows.run import Run


def excluded(run: Run, plan: Plan) -> bool:
    """Tell whether the user is in another flow of the group, as the flows' newest versions have it.

    A silent session has no effect outside itself, so it keeps nobody out (R19).
    """
    group = plan.flow.exclusive
    if group is None:
        return False
    flows = run.era.by_number
    return any(
        session.flow != plan.number
        and not session.silent
        and flows[session.flow].plan.flow.exclusive == group
        for session in run.state.sessions
    )
