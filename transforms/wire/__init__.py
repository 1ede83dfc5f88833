"""Records on the wire: envelope, mapping, messages, rows."""
