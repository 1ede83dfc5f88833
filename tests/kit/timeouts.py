"""How long a test waits for a process, a server or a thread before it fails."""

from __future__ import annotations

PATIENCE = 1_800.0
"""Seconds. No loaded machine needs this long: it only ends a wait that would never end."""
