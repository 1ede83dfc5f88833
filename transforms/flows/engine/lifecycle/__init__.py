"""Pausing, holding and migrating sessions."""
