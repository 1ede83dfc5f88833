"""Wiring only: how sources, the core and sinks are put together on each runner."""
