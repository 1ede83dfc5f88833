"""The types of elements between the steps of the streaming job."""

from __future__ import annotations

from transforms.hosting.receive import Key

Decided = tuple[Key, list[bytes]]
"""A key and the encoded outputs of one step, in order.

The key of a dead letter without a user has its id in place of the user.

They are one element, because a runner's cost for an element is several times that of an output.
"""

BAD = "bad"
"""The tag of dead letters where a DoFn has another main output; each element is a ``Decided``."""
