"""Scenario files: their grammar, their player, and the transcript of the outputs."""
