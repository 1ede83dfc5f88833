"""Message templates: Liquid with limits, and the parts of a text message."""
