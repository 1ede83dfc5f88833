"""Time zones, delays, schedules and windows. ``now`` is always an argument, in ms UTC."""
