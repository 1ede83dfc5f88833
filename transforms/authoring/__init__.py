"""Tools for people who write flows: formatter, JSON Schema, graph. Not part of the core."""
