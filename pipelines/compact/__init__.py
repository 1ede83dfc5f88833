"""Merges the small files of a streaming job's tables, while the job writes and others read."""
