"""The replay: reads recorded events, runs them through the core, writes tables."""
