"""Handles one signal of one user: ``step`` is the only entry point for hosts."""
