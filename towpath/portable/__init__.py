"""Flows in and out of folders: archives of flows, and the library of flow templates."""
