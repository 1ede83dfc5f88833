"""Message templates: Liquid within bounds, and the parts of a text message."""
