"""Checks of a flow as a whole, after each of its parts was read."""
