"""What flows between the steps of the streaming job."""

from __future__ import annotations

from transforms.hosting.receive import Key

Decided = tuple[Key, list[bytes]]
"""The encoded outputs of one step for one user, in the order decided.

They travel together, since a runner's work for an element costs several times what an output does.
"""

BAD = "bad"
"""The tag of dead letters where a DoFn has another main output; each element is a ``Decided``."""
