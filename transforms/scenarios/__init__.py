"""Scenario files: their grammar, the player that runs them, and the transcript of outputs."""
