"""Inputs and outputs of the core: signals, outputs, control records, reason codes."""
