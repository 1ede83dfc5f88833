"""Where records come from: files, Pub/Sub and control logs."""
