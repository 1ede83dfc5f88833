"""Expressions as closures: compiled once, evaluated on the view of a user."""
