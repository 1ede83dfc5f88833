"""Expressions as closures: compiled once, evaluated on a view of the user."""
