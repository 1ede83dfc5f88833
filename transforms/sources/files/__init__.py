"""File formats of events: one module a format."""
