"""Times: zones, delays, schedules and windows, all pure; ``now`` is always an argument in ms UTC."""
