"""How long a test waits for a process, a server or a thread before it is taken for one that hangs."""

from __future__ import annotations

PATIENCE = 3_600.0
"""Seconds. No loaded machine reaches them: they only end a wait for what will never come."""
