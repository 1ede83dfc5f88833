"""What runs on one machine: the command line and, later, the embedded host and its helpers."""
