"""What goes into the core and comes out of it: signals, outputs, control records, reason codes."""
